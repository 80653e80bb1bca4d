// Where a preview begins: the wave, the clock and the sound say the same place.
document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-passage]");
  if (!form || event.target.name !== "place") return;
  const { place, start } = form.elements;
  const [shown, audio] = [form.querySelector("[data-window]"), form.querySelector("audio")];
  const seconds = Number(place.value);
  start.value = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  shown.setAttribute("x", Math.min((800 * seconds) / place.max, 800 - shown.getAttribute("width")));
  place.setAttribute("aria-valuetext", start.value);
  audio.currentTime = seconds;
});
