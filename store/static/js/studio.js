// The studio beyond plain HTML: dropping files, a true upload bar.

function chosen(form) {
  return [...form.querySelectorAll("input[type=file][name=files]")].flatMap((input) => [...input.files]);
}

function size(bytes) {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 }).format(bytes / 1e6);
}

function count(form) {
  const files = chosen(form);
  const whole = files.reduce((sum, file) => sum + file.size, 0);
  form.querySelector("[data-chosen]").textContent = files.length ? `${files.length} chosen, ${size(whole)}` : "";
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-deliver]");
  if (form && event.target.name === "files") count(form);
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
  const list = new DataTransfer();
  for (const { file, path } of files) {
    places.set(file, path);
    list.items.add(file);
  }
  const input = zone.querySelector("#id_files");
  input.files = list.files;
  [...input.files].forEach((file, place) => places.set(file, files[place].path));
  count(zone.closest("form"));
}

const places = new WeakMap();

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
  const form = event.target.closest("[data-deliver]");
  if (!form || !chosen(form).length) return;
  event.preventDefault();
  send(form);
});

function send(form) {
  const bar = form.querySelector("[data-progress]");
  const said = form.querySelector("[data-progress-text]");
  const button = form.querySelector("button.main");
  const data = new FormData(form);
  for (const file of chosen(form)) data.append("paths", places.get(file) || file.webkitRelativePath || file.name);
  const request = new XMLHttpRequest();
  request.open("POST", form.action || location.href);
  bar.hidden = false;
  button.disabled = true;
  request.upload.onprogress = ({ loaded, total }) => {
    bar.max = total;
    bar.value = loaded;
    said.textContent = loaded < total ? `${size(loaded)} of ${size(total)} sent` : "All sent; the tags are being read.";
  };
  request.onload = () => {
    if (request.status < 300 && request.responseURL !== location.href) location.assign(request.responseURL);
    else replace(request.responseText);
  };
  request.onerror = () => {
    button.disabled = false;
    said.textContent = "The connection broke. Nothing is lost: deliver again, and what arrived is not taken twice.";
  };
  request.send(data);
}

function replace(html) {
  const page = new DOMParser().parseFromString(html, "text/html").getElementById("page");
  if (page) document.getElementById("page").replaceWith(page);
  page?.querySelector("[aria-invalid], [role=alert], .error")?.scrollIntoView({ block: "center" });
}
