// The studio beyond plain HTML: dropping files, and sending them while the form is filled in.

import { size, Uploads } from "./uploads.js";

const LITTER = /(^|\/)(\.|__MACOSX\/|(thumbs\.db|desktop\.ini)$)/i;

const desks = new WeakMap();

// The uploads of one form, with what the shop has of them already.
function desk(form) {
  if (desks.has(form)) return desks.get(form);
  const known = [...form.querySelectorAll("[data-arrival]")].map((row) => ({ ...JSON.parse(row.dataset.arrival), row }));
  const uploads = new Uploads({
    address: form.dataset.uploads,
    token: form.querySelector("[name=csrfmiddlewaretoken]").value,
    known,
    room: Number(form.dataset.room),
    largest: Number(form.dataset.largest),
    told: () => show(form),
  });
  form.querySelector("[data-pause]").onclick = () => (uploads.paused ? uploads.resume() : uploads.pause());
  setInterval(() => uploads.running && show(form), 1000); // a line that stands still is told too
  desks.set(form, uploads);
  return uploads;
}

function show(form) {
  const uploads = desk(form);
  const list = form.querySelector("[data-list]");
  for (const row of list.querySelectorAll("[data-arrival]")) {
    if (!uploads.known.some((one) => one.row === row)) row.remove();
  }
  for (const upload of uploads.list) upload.row ??= list.appendChild(made(form, upload));
  for (const row of list.querySelectorAll("[data-file]")) {
    if (!uploads.list.some((one) => one.row === row)) row.remove();
  }
  for (const upload of uploads.list) tell(upload);
  const { sent, whole } = uploads.bytes;
  const bar = form.querySelector("[data-progress]");
  bar.closest("[data-under-way]").hidden = !uploads.list.length;
  bar.max = whole || 1;
  bar.value = uploads.settled ? bar.max : sent;
  const pause = form.querySelector("[data-pause]");
  pause.hidden = !uploads.paused && !uploads.list.some((one) => ["waiting", "sending"].includes(one.state));
  pause.textContent = uploads.paused ? "Go on" : "Pause";
  form.querySelector("[data-chosen]").textContent = summary(uploads, sent, whole);
  const said = form.querySelector("[data-said]");
  const words = aloud(uploads, sent / (whole || 1));
  if (said.textContent !== words) said.textContent = words;
  if (form.dataset.wanted && uploads.settled) hand(form);
}

const number = (list) => (list.length === 1 ? "1 file" : `${list.length} files`);
const halted = (uploads) => uploads.list.filter((one) => one.state === "halted");

function summary(uploads, sent, whole) {
  if (!uploads.list.length) return "";
  const need = halted(uploads).length;
  const told = need ? [`${need} of ${number(uploads.list)} ${need === 1 ? "needs" : "need"} you, see below`] : [number(uploads.list)];
  if (uploads.settled) return `${told} here, ${size(whole)}.`;
  told.push(`${size(sent)} of ${size(whole)} here`);
  const pace = uploads.pace;
  if (uploads.paused) told.push("paused");
  else if (pace && sent < whole) told.push(`${size(pace)} a second`, `about ${time((whole - sent) / pace)} left`);
  return `${told.join(" · ")}.`;
}

function time(seconds) {
  const minutes = Math.ceil(seconds / 60);
  if (seconds < 60) return `${Math.max(5, 5 * Math.ceil(seconds / 5))} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// What a screen reader says: what changes by the second would drown everything else, so by quarters.
function aloud(uploads, share) {
  const stopped = halted(uploads);
  if (!uploads.list.length) return "";
  if (stopped.length) return `${stopped.at(-1).path}: ${stopped.at(-1).words}`;
  if (uploads.settled) return `${number(uploads.list)} here.`;
  return uploads.paused ? "Paused." : `${number(uploads.list)} on the way, ${25 * Math.floor(4 * share)} % here.`;
}

function made(form, upload) {
  const row = form.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
  row.querySelector("[data-path]").textContent = upload.path;
  row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${upload.path}`);
  row.querySelector("[data-remove]").onclick = () => { leave(row); desk(form).remove(upload); };
  row.querySelector("[data-again]").onclick = () => desk(form).again(upload);
  row.querySelector("[data-again]").setAttribute("aria-label", `Try again: ${upload.path}`);
  return row;
}

// Whoever works by keyboard stays in the list when a row goes.
function leave(row) {
  const beside = row.nextElementSibling ?? row.previousElementSibling;
  (beside?.querySelector("button:last-child") ?? row.closest("form").querySelector("[name=files]")).focus();
}

const SHOWN = { waiting: "Waits", whole: "Here", halted: "Stopped" };

function tell(upload) {
  const percent = Math.floor((100 * upload.received) / Math.max(1, upload.file.size));
  const word = SHOWN[upload.state] ?? `${upload.state === "paused" ? "Paused at " : ""}${Math.min(percent, 99)} %`;
  upload.row.querySelector("[data-word]").textContent = `${word}, ${size(upload.file.size)}`;
  upload.row.querySelector("[data-words]").textContent = upload.words;
  upload.row.querySelector("[data-again]").hidden = upload.state !== "halted";
  upload.row.dataset.file = upload.state;
}

function choose(form, files) {
  for (const { file, path } of files) if (!LITTER.test(path)) desk(form).add(file, path);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-uploads]");
  if (!form || event.target.name !== "files") return;
  choose(form, [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
  event.target.value = ""; // the same file may be chosen again
});

// What came in an earlier visit and is not wanted after all.
document.addEventListener("click", async (event) => {
  const row = event.target.closest("[data-drop-arrival]")?.closest("[data-arrival]");
  if (!row) return;
  const uploads = desk(row.closest("form"));
  const known = uploads.known.find((one) => one.row === row);
  const headers = { "X-CSRFToken": uploads.token, "Tus-Resumable": "1.0.0" };
  const answer = await fetch(known.url, { method: "DELETE", headers }).catch(() => null);
  if (![204, 404, 410].includes(answer?.status)) {
    row.querySelector("[data-words]").textContent = (answer && (await answer.text())) || "The shop did not answer. Try again.";
    return;
  }
  uploads.known = uploads.known.filter((one) => one !== known);
  leave(row);
  row.remove();
});

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const zone = event.target.closest?.("[data-drop]");
    if (!zone || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(zone, event.dataTransfer);
  });
}

// A dropped folder arrives as entries that are walked one by one; each file keeps the path it had.
async function take(zone, transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const files = (await Promise.all(entries.map((entry) => walk(entry, "")))).flat();
  choose(zone.closest("form"), files);
}

async function walk(entry, above) {
  const path = above + entry.name;
  if (entry.isFile) return new Promise((done) => entry.file((file) => done([{ path, file }]), () => done([])));
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map((inner) => walk(inner, `${path}/`)))).flat();
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-uploads]");
  if (!form || desk(form).settled) return;
  event.preventDefault();
  if (desk(form).paused) desk(form).resume();
  form.dataset.wanted = "yes";
  form.querySelector("[data-progress-text]").textContent = "It is handed in as soon as all files are here. Leave this page open.";
});

// The files are here; only the form itself is sent.
function hand(form) {
  delete form.dataset.wanted;
  form.requestSubmit();
}

window.addEventListener("beforeunload", (event) => {
  const form = document.querySelector("[data-uploads]");
  if (form && desks.has(form) && !desk(form).settled) event.preventDefault();
});
