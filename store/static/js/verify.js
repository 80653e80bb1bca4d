// Checks a certificate in the reader's own browser: hash, signature, and that this page shows what was signed.
// The signed bytes are cut out of the file as they stand; parsed and written again they might be others.

const utf8 = new TextEncoder();

function hex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

async function sha256(data) {
  return hex(await crypto.subtle.digest("SHA-256", data));
}

async function get(address) {
  const answer = await fetch(address, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${address} could not be fetched`);
  return answer.text();
}

/** The signed bytes and the signatures of a file; those of a bare document from before signing are none. */
export function open(text) {
  const file = JSON.parse(text);
  if (!file.signed) return { text, document: file, signatures: [] };
  const start = text.indexOf('"signed":') + '"signed":'.length;
  const signed = text.slice(start, text.lastIndexOf("}"));
  return { text: signed, document: JSON.parse(signed), signatures: file.signatures };
}

function plain(text, element) {
  return element.classList.contains("hash") ? text.replace(/\s/g, "") : text.replace(/\s+/g, " ").trim();
}

/** The facts on the page that are not in the document as they are shown. */
function otherFacts(document_) {
  return [...document.querySelectorAll("[data-signed]")].filter((element) => {
    const value = element.dataset.signed.split(".").reduce((found, name) => found?.[name], document_);
    return plain(String(value), element) !== plain(element.textContent, element);
  });
}

/** True or false, or null where this browser knows no Ed25519. */
async function fits({ key, signature }, keys, text) {
  const known = keys.find((each) => each.key === key);
  if (!known || (await sha256(bytes(known.public))).slice(0, key.length) !== key) return false;
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", bytes(known.public), { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return null;
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, bytes(signature), utf8.encode(text));
}

/** What was found: `state` for the seal's look, `said` as its headline, `lines` below it. */
async function judge(seal) {
  if (!crypto.subtle) {
    return ["", "Your browser checks nothing here: it does so only on https pages", []];
  }
  const file = open(await get(seal.dataset.verify));
  if ((await sha256(utf8.encode(file.text))) !== seal.dataset.sha256) {
    return ["broken", "The document does not have the hash it names", []];
  }
  const others = otherFacts(file.document);
  if (others.length) {
    return ["broken", "This page shows something else than the document says", others.map((one) => one.textContent)];
  }
  const lines = [`The document has the hash on this page, and says the ${document.querySelectorAll("[data-signed]").length} facts marked on it.`];
  if (!file.signatures.length) {
    return ["", "The hash was verified by your browser; there is no signature to check", [...lines, "It was issued before certificates were signed: the ledger vouches for the hash."]];
  }
  const { keys } = JSON.parse(await get(seal.dataset.keys));
  for (const signature of file.signatures) {
    const answer = await fits(signature, keys, file.text);
    if (answer === null) {
      return ["", "The hash was verified by your browser, the signature was not", [...lines, "This browser does not know Ed25519 signatures. Below is how to check them without it."]];
    }
    if (!answer) return ["broken", "The signature is not that of this document", []];
    lines.push(`It is signed with the key ${signature.key.match(/.{4}/g).join(" ")}.`);
  }
  return ["verified", "Verified here, by your browser", lines];
}

export async function verify(seal) {
  const said = seal.querySelector("[data-said]");
  if (!said || seal.dataset.judged) return;
  seal.dataset.judged = "yes";
  let found;
  try {
    found = await judge(seal);
  } catch (error) {
    found = ["", "Your browser could not check it", [String(error.message)]];
  }
  const [state, words, lines] = found;
  if (state) seal.classList.add(state);
  said.textContent = words;
  const list = seal.querySelector("[data-lines]");
  list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
}
