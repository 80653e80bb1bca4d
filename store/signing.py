"""What the store signs with its Ed25519 key, and how anybody checks it: no Django, no database, no network.

A signed file is one line of JSON, `{"signatures":[…],"signed":…}`. Signed are the bytes that stand after `"signed":`,
up to the last brace: the document in its one canonical form. Whoever has no JSON at hand can cut them out with sed.
`python -m store.signing FILE KEYS` checks such a file against a file of keys, as `/proof/keys.json` gives them.
"""

import base64
import binascii
import hashlib
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED_BYTES = 32
KEY_ID_DIGITS = 32  # of the SHA-256 of the public key: 128 bits, which nobody meets twice


class BadKey(ValueError):
    """The text is not a key of ours; the message says what one looks like."""


class BadFile(ValueError):
    """The file is not one that we could have signed; the message says why."""


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file as it was read: the document, the bytes that are signed, and signatures by key id."""

    document: dict[str, Any]
    text: bytes
    signatures: dict[str, bytes]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


# ---- keys ----------------------------------------------------------------------------------------------------------


def fresh() -> str:
    """A new private key, as it is kept: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(SEED_BYTES)).decode()


def private_key(kept: str) -> Ed25519PrivateKey:
    """Raises BadKey where the text is not a key."""
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(kept, validate=True))
    except (binascii.Error, ValueError):
        raise BadKey("A signing key is 32 random bytes in base64, as `openssl rand -base64 32` makes them.") from None


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(public: bytes) -> str:
    """The name of a key: it cannot be given to another one."""
    return hashlib.sha256(public).hexdigest()[:KEY_ID_DIGITS]


def pem(public: bytes) -> str:
    """The public key as openssl reads it."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_keys(data: bytes) -> dict[str, bytes]:
    """Public keys by id, out of a file as `/proof/keys.json` gives it. Raises BadFile where one is not its id's."""
    try:
        keys = {each["key"]: base64.b64decode(each["public"], validate=True) for each in _parse(data)["keys"]}
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"The keys are not in the form of /proof/keys.json: {error}.") from None
    for name, public in keys.items():
        if len(public) != SEED_BYTES or key_id(public) != name:
            raise BadFile(f"Key {name} does not have the public key that its name says.")
    return keys


# ---- files ---------------------------------------------------------------------------------------------------------


def canonical(document: object) -> bytes:
    """JSON with sorted keys, no blanks, UTF-8: one way only to write a document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sign(text: bytes, key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.sign(text)).decode()


def envelope(text: bytes, signatures: Mapping[str, str]) -> bytes:
    """The file that is handed out. `text` goes in as it is, because a signature is one of bytes."""
    listed = [{"key": key, "signature": signature} for key, signature in sorted(signatures.items())]
    return b'{"signatures":' + canonical(listed) + b',"signed":' + text + b"}"


def read(data: bytes) -> SignedFile:
    """A signed file, or the bare document of a certificate from before they were signed. Raises BadFile.

    Blanks, the order of keys and how letters are escaped do not matter: the document has one canonical form.
    """
    return _open(_parse(data))


def read_list(data: bytes, name: str) -> list[SignedFile]:
    """The signed files that stand in one file, in a list of this name. Raises BadFile."""
    listed = _parse(data).get(name)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadFile(f"The file holds no list of {name}.")
    return [_open(each) for each in listed]


def _open(parsed: dict[str, Any]) -> SignedFile:
    if "signed" not in parsed:
        return SignedFile(parsed, canonical(parsed), {})
    try:
        signatures = {each["key"]: base64.b64decode(each["signature"], validate=True) for each in parsed["signatures"]}
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"The signatures are not in the form of a signed file: {error}.") from None
    if not isinstance(parsed["signed"], dict):
        raise BadFile("What is signed is no document.")
    return SignedFile(parsed["signed"], canonical(parsed["signed"]), signatures)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadFile(f"This is not a JSON document: {error}.") from None
    if not isinstance(parsed, dict):
        raise BadFile("This is not a JSON document: it has no names.")
    return parsed


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Two values of one name would let two readers see two documents."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadFile("A name stands twice in one place of the document.")
    return found


def _no_constant(name: str) -> float:
    raise BadFile(f"{name} is not a value of JSON.")


def fits(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the signature is that of these bytes by this key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def problems(file: SignedFile, keys: Mapping[str, bytes]) -> list[str]:
    """What is wrong with a signed file, in plain words. Empty: a key among `keys` signed exactly this document."""
    if not file.signatures:
        return ["it carries no signature: compare its SHA-256 with the ledger entry of the sale"]
    found = []
    for key, signature in file.signatures.items():
        if key not in keys:
            found.append(f"key {key} is not among the keys given")
        elif not fits(keys[key], signature, file.text):
            found.append(f"the signature by key {key} is not that of this document")
    return found


def main(file: Path, keys: Path) -> int:
    try:
        signed = read(file.read_bytes())
        found = problems(signed, read_keys(keys.read_bytes()))
    except (BadFile, OSError) as error:
        found, signed = [str(error)], None
    for problem in found:
        sys.stderr.write(f"{file}: {problem}\n")
    if signed and not found:
        sys.stdout.write(f"{file}: holds. SHA-256 {signed.sha256}, signed by {', '.join(signed.signatures)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
