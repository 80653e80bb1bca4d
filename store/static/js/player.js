// The player: previews from any page, one bar that stays while one browses. It lives outside #page, so a boosted
// navigation never touches it. Without this file a play link simply opens the preview.

const bar = document.getElementById("player");
const part = (name) => bar.querySelector(`[data-part=${name}]`);
const wave = bar.querySelector(".player-wave");
const canvas = wave.querySelector("canvas");
const seek = wave.querySelector("input");
const list = bar.querySelector("#queue");
const audio = new Audio();
audio.preload = "auto";
const opusPlays = audio.canPlayType("audio/ogg; codecs=opus");

let queue = [];
let at = -1;
let peaks = [];

const clock = (seconds) => {
  const whole = Number.isFinite(seconds) ? Math.floor(seconds) : 0;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

function fromLink(link) {
  const { title, by, page, cover, opus, peaks: drawn } = link.dataset;
  return { src: link.href, opus: opus && opusPlays ? opus : "", title, by, page, cover, peaks: drawn };
}

// What stands on the page becomes the queue: the pressed track and the rest of its list.
function gather(link) {
  const around = link.closest("[data-queue]") || link.parentElement;
  const links = [...around.querySelectorAll("a[data-play]")];
  queue = links.map(fromLink);
  return links.indexOf(link);
}

function load(index) {
  const track = queue[index];
  if (!track) return;
  at = index;
  bar.hidden = false;
  audio.src = track.opus || track.src;
  audio.play().catch(() => say("The preview did not start. Press play again."));
  const title = bar.querySelector(".player-title");
  const cover = bar.querySelector(".player-cover");
  title.textContent = track.title;
  for (const link of [title, cover]) {
    if (track.page) link.href = track.page;
    else link.removeAttribute("href");
  }
  bar.querySelector(".player-by").textContent = track.by;
  cover.hidden = !track.cover;
  if (track.cover) cover.querySelector("img").src = track.cover;
  peaks = [];
  if (track.peaks) fetchPeaks(track);
  drawQueue();
  htmx.process(bar);
  if ("mediaSession" in navigator) {
    const artwork = track.cover ? [{ src: track.cover }] : [];
    navigator.mediaSession.metadata = new MediaMetadata({ title: track.title, artist: track.by, artwork });
  }
}

async function fetchPeaks(track) {
  const answer = await fetch(track.peaks);
  if (!answer.ok || queue[at] !== track) return;
  peaks = (await answer.json()).peaks;
  draw();
}

function say(words) {
  part("said").textContent = words;
}

function toggle() {
  if (!audio.src) return;
  if (audio.paused) audio.play();
  else audio.pause();
}

function step(by) {
  if (queue[at + by]) load(at + by);
  else if (by < 0) audio.currentTime = 0;
}

function close() {
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  bar.hidden = true;
  at = -1;
  mark();
}

function draw() {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width) return;
  const scale = devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(bar);
  const played = (audio.currentTime / audio.duration || 0) * width;
  const count = Math.max(1, Math.floor(width / 3));
  const top = Math.max(1, ...peaks);
  context.scale(scale, scale);
  for (let n = 0; n < count; n += 1) {
    const peak = peaks.length ? peaks[Math.floor((n * peaks.length) / count)] / top : 0.06;
    const tall = Math.max(2, peak * height);
    context.fillStyle = n * 3 < played ? style.color : style.borderTopColor;
    context.fillRect(n * 3, (height - tall) / 2, 2, tall);
  }
}

// Every play link on the page shows whether it is the one that sounds.
function mark() {
  const playing = !audio.paused && at >= 0;
  bar.querySelector("[data-do=toggle]").setAttribute("aria-pressed", String(playing));
  for (const link of document.querySelectorAll("a[data-play]")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-pressed", String(playing && link.href === queue[at]?.src));
  }
}

function drawQueue() {
  list.replaceChildren(...queue.map((track, index) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${track.title} · ${track.by}`;
    if (index === at) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => load(index));
    item.append(button);
    return item;
  }));
}

function toggleQueue() {
  list.hidden = !list.hidden;
  bar.querySelector("[data-do=queue]").setAttribute("aria-expanded", String(!list.hidden));
}

const acts = { toggle, close, queue: toggleQueue, next: () => step(1), previous: () => step(-1) };

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-play]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    if (link.href === queue[at]?.src) toggle();
    else load(gather(link));
  }
  const act = event.target.closest("#player [data-do]");
  if (act) acts[act.dataset.do]();
});

document.addEventListener("keydown", (event) => {
  const link = event.target.closest?.("a[data-play]");
  if (link && event.key === " ") {
    event.preventDefault();
    link.click();
    return;
  }
  if (bar.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches?.("input, textarea, select, button, summary, a, [contenteditable]")) return;
  const keys = {
    " ": toggle, n: () => step(1), p: () => step(-1),
    ArrowRight: () => { audio.currentTime += 5; }, ArrowLeft: () => { audio.currentTime -= 5; },
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

audio.addEventListener("timeupdate", () => {
  part("now").textContent = clock(audio.currentTime);
  seek.value = Math.round((audio.currentTime / audio.duration || 0) * 1000);
  seek.setAttribute("aria-valuetext", `${clock(audio.currentTime)} of ${clock(audio.duration)}`);
  draw();
});
audio.addEventListener("durationchange", () => { part("whole").textContent = clock(audio.duration); draw(); });
audio.addEventListener("play", () => { mark(); say(`Playing ${queue[at]?.title}`); });
audio.addEventListener("pause", mark);
audio.addEventListener("ended", () => { if (queue[at + 1]) step(1); else mark(); });
audio.addEventListener("error", () => {
  if (queue[at]?.opus) {
    queue[at].opus = "";
    load(at);
  } else if (at >= 0) say("This preview cannot be played here.");
});
seek.addEventListener("input", () => { if (audio.duration) audio.currentTime = (seek.value / 1000) * audio.duration; });
part("volume").addEventListener("input", (event) => {
  audio.volume = event.target.value / 100;
  localStorage.setItem("clearsong.volume", event.target.value);
});
part("volume").value = localStorage.getItem("clearsong.volume") ?? 100;
audio.volume = part("volume").value / 100;
new ResizeObserver(draw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
document.addEventListener("htmx:afterSettle", mark);
if ("mediaSession" in navigator) {
  for (const [name, act] of [["play", toggle], ["pause", toggle], ["nexttrack", acts.next], ["previoustrack", acts.previous]]) {
    navigator.mediaSession.setActionHandler(name, act);
  }
}
mark();
