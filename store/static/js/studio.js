// The studio beyond plain HTML: dropping files, and sending them while the form is filled in.

import { Uploads } from "./uploads.js";

function size(bytes) {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 }).format(bytes / 1e6);
}

const desks = new WeakMap();

// The uploads of one form, with what the shop has of them already.
function desk(form) {
  if (desks.has(form)) return desks.get(form);
  const known = [...form.querySelectorAll("[data-arrival]")].map((row) => ({ ...JSON.parse(row.dataset.arrival), row }));
  const uploads = new Uploads({
    address: form.dataset.uploads,
    token: form.querySelector("[name=csrfmiddlewaretoken]").value,
    known,
    told: () => show(form),
  });
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
  bar.hidden = !uploads.list.length;
  bar.max = whole || 1;
  bar.value = uploads.settled ? bar.max : sent;
  form.querySelector("[data-chosen]").textContent = summary(uploads, sent, whole);
  if (form.dataset.wanted && uploads.settled) hand(form);
}

function summary(uploads, sent, whole) {
  if (!uploads.list.length) return "";
  const number = uploads.list.length === 1 ? "1 file" : `${uploads.list.length} files`;
  const halted = uploads.list.filter((one) => one.state === "halted").length;
  if (halted) return `${halted} of ${number} need you: see below.`;
  return uploads.settled ? `${number} here, ${size(whole)}.` : `${number}: ${size(sent)} of ${size(whole)} here.`;
}

function made(form, upload) {
  const row = form.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
  row.querySelector("[data-path]").textContent = upload.path;
  row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${upload.path}`);
  row.querySelector("[data-remove]").onclick = () => desk(form).remove(upload);
  row.querySelector("[data-again]").onclick = () => desk(form).again(upload);
  return row;
}

const SHOWN = { waiting: "Waits", sending: "", whole: "Here", halted: "Stopped" };

function tell(upload) {
  const percent = Math.floor((100 * upload.received) / Math.max(1, upload.file.size));
  const word = upload.state === "sending" ? `${Math.min(percent, 99)} %` : SHOWN[upload.state];
  upload.row.querySelector("[data-word]").textContent = word;
  upload.row.querySelector("[data-words]").textContent = upload.words;
  upload.row.querySelector("[data-again]").hidden = upload.state !== "halted";
  upload.row.dataset.file = upload.state;
}

function choose(form, files) {
  for (const { file, path } of files) desk(form).add(file, path);
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
  if (!answer || ![204, 404].includes(answer.status)) return;
  uploads.known = uploads.known.filter((one) => one !== known);
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
  if (entry.isFile) return [{ path, file: await new Promise((done, fail) => entry.file(done, fail)) }];
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
