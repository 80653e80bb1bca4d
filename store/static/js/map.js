// The square under the pointer says its country and why it is as it is. Readers without a pointer have the list.

document.addEventListener("pointerover", (event) => {
  const map = event.target.closest?.(".world-map");
  if (!map) return;
  const tile = event.target.closest("[data-tile]");
  if (tile) map.querySelector("[data-tile-said]").textContent = tile.dataset.tile;
});
document.addEventListener("click", (event) => {
  const tile = event.target.closest?.("[data-tile]");
  if (tile) tile.closest(".world-map").querySelector("[data-tile-said]").textContent = tile.dataset.tile;
});
