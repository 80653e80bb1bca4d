// The reviewer's desk by keyboard, and the sound beside the evidence. Each key stands on what it presses; without this
// file every button and link still works.

const field = "input, textarea, select, [contenteditable]";
const pressable = "button, a, summary, input, [tabindex='0']";
const settle = 500; // a decision pressed sooner than this after a case came was meant for the one before

const desk = () => document.querySelector("[data-desk]");
const keysOn = () => localStorage.getItem("clearsong.keys") !== "off";

function say(words) {
  const said = document.getElementById("desk-said");
  if (said) said.textContent = words;
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return false;
  const here = rows.indexOf(document.activeElement);
  rows[here < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, here + by))].focus();
  return true;
}

function toEvidence() {
  const section = document.getElementById("evidence");
  (section?.querySelector("[data-leaves]") || section)?.focus();
  section?.scrollIntoView({ block: "start" });
}

const acts = {
  j: () => step(1), n: () => step(1), k: () => step(-1), p: () => step(-1),
  e: toEvidence,
  " ": () => strip()?.toggle(),
  ArrowLeft: () => strip()?.jump(-5),
  ArrowRight: () => strip()?.jump(5),
};

document.addEventListener("keydown", (event) => {
  if (!desk()) return;
  const { target, key } = event;
  if (key === "Escape") closePanel();
  if (key === "Enter" && (event.ctrlKey || event.metaKey) && target.matches?.("textarea")) target.form.requestSubmit();
  if (event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
  if (document.querySelector("dialog[open]") || target.matches?.(field)) return;
  if (key.length > 1 && target.closest?.("[data-leaves]")) return;
  if (key === " " && target.matches?.(pressable)) return;
  const button = document.querySelector(`[data-key~="${CSS.escape(key)}"]`);
  if (!button && !acts[key]) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // the shop's player knows some of these keys, too
  if (button) press(button, event);
  else acts[key]();
}, true);

function press(button, event) {
  if (button.disabled) {
    say(document.getElementById(button.getAttribute("aria-describedby"))?.textContent || "This cannot be done now.");
    return;
  }
  if (button.matches("[data-decides]") && (event.repeat || !("ready" in desk().dataset))) {
    say("Too soon: this is the next case. Look at it, then press again.");
    return;
  }
  button.click();
  enter(button.closest("details.panel"));
}

// One panel is open at a time (they share a name); it takes the focus at once, for fast hands, and gives it back.
function enter(panel) {
  if (!panel?.open || panel.querySelector(".pop").contains(document.activeElement)) return;
  (panel.querySelector("input:checked:not([type=checkbox])") || panel.querySelector("textarea, input:not([type=hidden])"))?.focus();
}

document.addEventListener("toggle", (event) => { if (event.target.matches?.("details.panel")) enter(event.target); }, true);

function closePanel() {
  const panel = document.querySelector("details.panel[open]");
  if (!panel) return;
  panel.open = false;
  panel.querySelector("summary").focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys-open]")) document.getElementById("keys").showModal();
  if (!event.target.closest("details.panel") && event.target.closest("main")) {
    document.querySelector("details.panel[open]")?.removeAttribute("open");
  }
});

document.addEventListener("change", (event) => {
  const { fills } = event.target.dataset || {};
  if (fills) document.getElementById(fills).value = event.target.value;
  if (event.target.matches("[data-keys-on]")) localStorage.setItem("clearsong.keys", event.target.checked ? "on" : "off");
});

// A second click while the first is on its way decides nothing.
document.addEventListener("submit", (event) => {
  if (!event.target.closest(".decision")) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
}, true);

const clock = (seconds) => {
  const whole = Number.isFinite(seconds) ? Math.floor(seconds) : 0;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};
const strips = new WeakMap();
let last = null;

function strip() {
  const element = last?.isConnected ? last : document.querySelector("[data-strip]");
  return element && strips.get(element);
}

// The browser's own player stands there without scripts; with them, the wave is the player.
function wire(element) {
  const part = (name) => element.querySelector(`[data-strip-${name}]`);
  const audio = part("audio");
  const seek = part("seek");
  const say_ = (words) => { part("said").textContent = words; };
  element.classList.add("live");
  for (const name of ["play", "seek", "clock"]) part(name).hidden = false;
  const show = () => {
    const place = audio.currentTime / audio.duration || 0;
    part("played")?.setAttribute("width", place * 800);
    part("clock").textContent = clock(audio.currentTime);
    seek.value = Math.round(place * 1000);
    seek.setAttribute("aria-valuetext", `${clock(audio.currentTime)} of ${clock(audio.duration)}`);
    part("play").setAttribute("aria-pressed", String(!audio.paused));
  };
  const toggle = () => {
    last = element;
    for (const other of document.querySelectorAll("[data-strip-audio]")) if (other !== audio) other.pause();
    if (audio.paused) audio.play().catch(() => say_("This sound cannot be played here. Download it, or try another browser."));
    else audio.pause();
  };
  const jump = (by) => {
    last = element;
    if (audio.duration) audio.currentTime = Math.max(0, Math.min(audio.duration - 0.1, audio.currentTime + by));
  };
  for (const name of ["timeupdate", "play", "pause", "ended", "durationchange", "seeked"]) audio.addEventListener(name, show);
  audio.addEventListener("playing", () => {
    const copy = element.querySelector("[data-instead]");
    say_(copy?.src === audio.currentSrc ? `You hear ${copy.dataset.instead}: this browser cannot play the master.` : "");
  });
  part("play").addEventListener("click", toggle);
  seek.addEventListener("input", () => { if (audio.duration) audio.currentTime = (seek.value / 1000) * audio.duration; else toggle(); });
  strips.set(element, { toggle, jump });
}

function arrive() {
  const here_ = desk();
  if (here_) setTimeout(() => { here_.dataset.ready = ""; }, settle);
  for (const element of document.querySelectorAll("[data-strip]")) if (!strips.has(element)) wire(element);
  const switch_ = document.querySelector("[data-keys-on]");
  if (switch_) switch_.checked = keysOn();
  const list = document.querySelector(".desk .queue");
  const here = list?.querySelector("[aria-current]");
  if (here) list.scrollTop = here.offsetTop - list.clientHeight / 2;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id !== "page") return;
  for (const audio of document.querySelectorAll("[data-strip-audio]")) audio.pause();
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt?.id === "page" || event.detail.target?.id === "page") arrive();
});
arrive();
