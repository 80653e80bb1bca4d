// What every page does beyond its links and forms: focus and place after navigation, "/" to search, copying, printing.

const places = "clearsong.places";

function remembered() {
  return JSON.parse(sessionStorage.getItem(places) || "{}");
}

function remember() {
  const all = remembered();
  all[location.href] = scrollY;
  sessionStorage.setItem(places, JSON.stringify(Object.fromEntries(Object.entries(all).slice(-50))));
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target?.id === "page") remember();
});

// What is no page of this frame, or never came, is loaded as the browser would without us.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target?.id !== "page" || xhr.response.includes('id="page"')) return;
  event.detail.shouldSwap = false;
  location.assign(xhr.responseURL);
});

// What one has unfolded stays open while its page draws itself anew.
let unfolded = [];

document.addEventListener("htmx:beforeSwap", (event) => {
  unfolded = [...event.detail.target?.querySelectorAll("details[data-stays][open]") || []].map((part) => part.id);
});

document.addEventListener("htmx:afterSettle", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
});

document.addEventListener("htmx:sendError", (event) => {
  if (event.detail.target?.id === "page" && event.detail.requestConfig.verb === "get") {
    location.assign(event.detail.requestConfig.path);
  }
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "page" && event.detail.elt?.id !== "page") return;
  const anchor = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (anchor) anchor.scrollIntoView();
  else document.getElementById("main")?.focus({ preventScroll: true });
});

addEventListener("popstate", () => {
  const place = remembered()[location.href];
  document.addEventListener("htmx:historyCacheMissLoad", () => {
    requestAnimationFrame(() => scrollTo(0, place || 0));
  }, { once: true });
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    const word = copy.querySelector("[data-said]") || copy;
    const before = word.textContent;
    word.textContent = "Copied";
    setTimeout(() => { word.textContent = before; }, 1600);
  }
  if (event.target.closest("[data-print]")) print();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=range]), textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const find = document.getElementById("find");
  if (!find.checkVisibility()) find.showPopover();
  find.querySelector("input").focus();
  event.preventDefault();
});

// A page with a certificate's seal brings what checks it.
async function verify() {
  const seal = document.querySelector("[data-verify]");
  if (seal) (await import("./verify.js")).verify(seal);
}

function reveal() {
  for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;
}

function arrive() {
  reveal();
  verify();
}

arrive();
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt?.id === "page" || event.detail.target?.id === "page") arrive();
});
