// Files of a delivery, sent in pieces by the tus protocol (https://tus.io/protocols/resumable-upload) while the form is
// filled in. Whatever breaks, each file goes on where the shop has it; after a reload, choose the same files again.

const PIECE = 8 * 1024 * 1024;
const AT_ONCE = 2;
const WAITS = [0.5, 1, 2, 4, 8, 15, 30, 60, 60, 60]; // seconds; a piece that came through begins them anew
const TUS = { "Tus-Resumable": "1.0.0" };

class Halt extends Error {}
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const encoded = (text) => base64(new TextEncoder().encode(text));

// Ends early when the line is back, or when nobody waits any more.
function rest(seconds, stop) {
  return new Promise((done) => {
    const clock = setTimeout(done, 1000 * seconds);
    const enough = () => { clearTimeout(clock); done(); };
    window.addEventListener("online", enough, { once: true });
    stop?.addEventListener("abort", enough, { once: true });
  });
}

export function size(bytes) {
  const [unit, worth] = bytes < 1e6 ? ["kilobyte", 1e3] : bytes < 1e9 ? ["megabyte", 1e6] : ["gigabyte", 1e9];
  const told = { style: "unit", unit, maximumFractionDigits: worth === 1e3 ? 0 : 1 };
  return new Intl.NumberFormat(document.documentElement.lang, told).format(bytes / worth);
}

async function checksum(piece) {
  if (!crypto.subtle) return {}; // only pages of a secure origin may hash
  const digest = await crypto.subtle.digest("SHA-256", await piece.arrayBuffer());
  return { "Upload-Checksum": `sha256 ${base64(new Uint8Array(digest))}` };
}

// A request that can tell how much of its body has left; fetch cannot.
function ask(method, url, { headers, body, sent, stop }) {
  return new Promise((done, fail) => {
    if (stop?.aborted) return fail(new Halt());
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries({ ...TUS, ...headers })) request.setRequestHeader(name, value);
    if (sent) request.upload.onprogress = (event) => sent(event.loaded);
    request.onload = () => done(request);
    request.onerror = request.ontimeout = () => fail(new Error("The connection broke."));
    request.onabort = () => fail(new Halt());
    stop?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body ?? null);
  });
}

export class Upload {
  // `told` hears of every change; `known` is what the shop has of this file from an earlier try.
  constructor(file, path, { address, token, told, known }) {
    Object.assign(this, { file, path, address, token, told });
    this.url = known?.url ?? "";
    this.received = known?.received ?? 0;
    this.state = known?.whole ? "whole" : "waiting";
    this.words = "";
    this.breaker = new AbortController();
  }

  say(state, words = "") {
    Object.assign(this, { state, words });
    this.told(this);
  }

  async run() {
    this.breaker = new AbortController();
    const stop = this.breaker.signal;
    for (let tries = 0; this.state !== "whole"; ) {
      const before = this.received;
      try {
        this.say("sending");
        if (!this.url) await this.announce();
        else await this.look();
        while (this.received < this.file.size) await this.send();
        this.say("whole");
      } catch (error) {
        if (stop.aborted) return;
        if (this.received > before) tries = 0;
        if (error instanceof Halt || tries >= WAITS.length) return this.say("halted", error.message);
        this.say("waiting", `${error.message} Trying again.`);
        await rest(navigator.onLine === false ? 60 : WAITS[tries++], stop);
        if (stop.aborted) return;
      }
    }
  }

  pause() {
    this.breaker.abort();
    this.say("paused");
  }

  headers(more) {
    return { "X-CSRFToken": this.token, ...more };
  }

  async announce() {
    const said = `filename ${encoded(this.file.name)},relativePath ${encoded(this.path)}`;
    const headers = this.headers({ "Upload-Length": this.file.size, "Upload-Metadata": said });
    const answer = await ask("POST", this.address, { headers, stop: this.breaker.signal });
    if (answer.status !== 201) throw judged(answer);
    this.url = answer.getResponseHeader("Location");
    this.received = Number(answer.getResponseHeader("Upload-Offset") ?? 0);
  }

  async look() {
    const answer = await ask("HEAD", this.url, { headers: this.headers(), stop: this.breaker.signal });
    if ([404, 410].includes(answer.status)) {
      Object.assign(this, { url: "", received: 0 });
      return this.announce();
    }
    if (answer.status !== 200) throw judged(answer);
    this.received = Number(answer.getResponseHeader("Upload-Offset"));
  }

  async send() {
    const piece = this.file.slice(this.received, this.received + PIECE);
    const from = this.received;
    const headers = this.headers({
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": from,
      ...(await checksum(piece).catch(() => { throw new Halt("The file cannot be read any more. Choose it again."); })),
    });
    const sent = (bytes) => {
      this.received = from + Math.min(bytes, piece.size);
      this.say("sending");
    };
    const answer = await ask("PATCH", this.url, { headers, body: piece, sent, stop: this.breaker.signal }).catch((error) => {
      this.received = from;
      throw error;
    });
    this.received = from;
    if (answer.status !== 204) throw judged(answer);
    this.received = Number(answer.getResponseHeader("Upload-Offset"));
    if (this.received < this.file.size) this.say("sending");
  }

  async remove() {
    this.breaker.abort();
    for (const wait of this.url ? [0, 0.5, 1, 2, 4, 8, 15] : []) {
      if (wait) await rest(wait);
      const answer = await ask("DELETE", this.url, { headers: this.headers() }).catch(() => null);
      if (answer && answer.status !== 423) return; // as long as the last piece is not let go, nobody may
    }
  }
}

// What comes right by itself is tried again; what does not is said.
function judged(answer) {
  const words = answer.getResponseHeader("Content-Type")?.startsWith("text/plain") ? answer.responseText : "";
  const passing = [0, 408, 409, 410, 423, 429, 460].includes(answer.status) || answer.status >= 500;
  if (passing) return new Error(words || "The shop did not answer.");
  return new Halt(words || "The shop refused this file. Reload the page and sign in again.");
}

export class Uploads {
  // `known` is what the shop has: { path, length, received, whole, url }; `room` and `largest` are how many bytes it
  // takes of more files, and of one.
  constructor({ address, token, known, room, largest, told }) {
    Object.assign(this, { address, token, known, room, largest, told });
    this.list = [];
    this.running = this.leaving = 0;
    this.paused = false;
    this.marks = [];
  }

  add(file, path) {
    if (this.list.some((one) => one.path === path && one.file.size === file.size)) return;
    const place = this.known.findIndex((one) => one.path === path && one.length === file.size);
    const known = place < 0 ? undefined : this.known.splice(place, 1)[0];
    const upload = new Upload(file, path, { address: this.address, token: this.token, told: this.told, known });
    const words = known ? "" : this.refusal(file);
    upload.isNew = !known;
    this.list.push(upload);
    if (words) upload.say("halted", words);
    this.told();
    this.next();
  }

  // What the shop would say as well, but before any byte is sent; it has the last word, see `again`.
  refusal(file) {
    if (file.size > this.largest) return `Larger than ${size(this.largest)}, the most a file may have. Split the recording.`;
    const planned = this.list.filter((one) => one.isNew && one.state !== "halted").reduce((sum, one) => sum + one.file.size, 0);
    const left = Math.max(0, this.room - planned);
    return file.size > left ? `It has ${size(file.size)}, and there is room for ${size(left)}. Hand in the others first, then this one.` : "";
  }

  next() {
    const waiting = this.list.find((one) => one.state === "waiting" && !one.taken);
    if (this.paused || !waiting || this.running >= AT_ONCE) return;
    waiting.taken = true;
    this.running += 1;
    waiting.run().finally(() => {
      waiting.taken = false;
      this.running -= 1;
      this.told();
      this.next();
    });
    this.next();
  }

  again(upload) {
    upload.say("waiting");
    this.next();
  }

  pause() {
    this.paused = true;
    this.marks = [];
    for (const one of this.list) if (["waiting", "sending"].includes(one.state)) one.pause();
    this.told();
  }

  resume() {
    this.paused = false;
    for (const one of this.list) if (one.state === "paused") one.say("waiting");
    this.next();
    this.told();
  }

  async remove(upload) {
    this.list = this.list.filter((one) => one !== upload);
    this.marks = [];
    this.leaving += 1;
    this.told();
    await upload.remove();
    this.leaving -= 1;
    this.told();
  }

  get bytes() {
    const due = this.list.filter((one) => one.state !== "halted"); // what waits for a person has no time left to tell
    const sum = (what) => due.reduce((total, one) => total + what(one), 0);
    return { sent: sum((one) => one.received), whole: sum((one) => one.file.size) };
  }

  // Bytes a second over the last while; nought until there is something to tell it from.
  get pace() {
    const now = performance.now();
    const { sent } = this.bytes;
    this.marks = this.marks.filter(([at]) => now - at < 15e3);
    if (!this.marks.length || now - this.marks.at(-1)[0] > 500) this.marks.push([now, sent]);
    const [at, before] = this.marks[0];
    return now - at > 2000 ? Math.max(0, (1000 * (sent - before)) / (now - at)) : 0;
  }

  get settled() {
    return !this.leaving && this.list.every((one) => one.state === "whole");
  }
}
