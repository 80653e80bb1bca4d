"""A payee's slice of the ledger, checked by anybody: no Django, no database, no network, no word of ours.

`python -m store.slice_check SLICE KEYS`, where KEYS are the store's public keys as `/proof/keys.json` gives them and as
the payee kept them. The first line of a slice holds the signed head of a day; each further line a transfer that touched
one of the payee's accounts, with its place in the chain and the hashes beside its way to the head's root. The last line
says the balances. Other parties stand there under opaque names.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from payments import merkle
from payments.seals import seal_sha256
from store import signing
from store.signing import BadFile

TYPE, VERSION = "slice of the ledger", 1


@dataclass
class Checked:
    """What a slice held: transfers, the balances they sum to, the head; `problem` is the first thing that is wrong."""

    transfers: int = 0
    balances: dict[str, int] = field(default_factory=dict)  # credits less debits: what the payee is owed
    day: str = ""
    position: int = 0
    key: str = ""
    problem: str = ""


def check(lines: Iterable[str], keys: Mapping[str, bytes]) -> Checked:
    """Check a slice from its first line to its last. Never raises for what a file holds: that is a problem too."""
    found = Checked()
    try:
        _check(lines, keys, found)
    except BadFile as error:
        found.problem = str(error)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        found.problem = f"after {found.transfers} transfers the file is not in the form of a slice: {error!r}"
    return found


def _check(lines: Iterable[str], keys: Mapping[str, bytes], found: Checked) -> None:
    rows = iter(lines)
    first = json.loads(next(rows, "null"))
    if (first["type"], first["version"]) != (TYPE, VERSION):
        raise BadFile("this is no slice of a ledger that this program knows")
    head = signing.read(json.dumps(first["head"]).encode())
    wrong = signing.problems(head, keys)
    if wrong:
        raise BadFile(f"the head: {wrong[0]}")
    ledger = head.document["ledger"]
    found.day, found.position, found.key = head.document["day"], ledger["position"], ", ".join(head.signatures)
    found.balances = dict.fromkeys(first["accounts"], 0)
    last = 0
    for text in rows:
        row = json.loads(text)
        if "balances" in row:
            _close(row, found)
            if next(rows, None) is not None:
                raise BadFile("something stands behind the balances")
            return
        if row["position"] <= last:
            raise BadFile(f"seal {row['position']} stands behind seal {last}")
        last = row["position"]
        _under(row, ledger, found)
    raise BadFile("the file is cut off: its balances are missing")


def _under(row: dict[str, Any], ledger: Mapping[str, Any], found: Checked) -> None:
    """The transfer has the hash of a seal that is under the head's root, and touches an account of the payee."""
    sealed = bytes.fromhex(seal_sha256(row["position"], row["previous_sha256"], row["transfer"]))
    path = [bytes.fromhex(each) for each in row["path"]]
    root = merkle.climb(sealed, index=row["position"] - 1, size=ledger["position"], path=path)
    if root is None or root.hex() != ledger["root"]:
        raise BadFile(f"transfer {row['transfer'][1]} is not under the head: it was changed, or never in the ledger")
    mine = [entry for entry in row["transfer"][7] if entry[1] in found.balances]
    if not mine:
        raise BadFile(f"transfer {row['transfer'][1]} touches no account of the payee")
    for _, account, side, micros, _ in mine:
        found.balances[account] += micros if side == "C" else -micros
    found.transfers += 1


def _close(row: dict[str, Any], found: Checked) -> None:
    if (row["transfers"], row["balances"]) != (found.transfers, found.balances):
        raise BadFile("the balances that the file names are not those of its transfers")


def main(file: Path, keys: Path) -> int:
    try:
        known = signing.read_keys(keys.read_bytes())
        with file.open(encoding="utf-8") as lines:
            found = check(lines, known)
    except (BadFile, OSError, UnicodeDecodeError) as error:
        found = Checked(problem=str(error))
    return tell(file, found)


def tell(file: Path, found: Checked) -> int:
    """Say what was found; the exit status."""
    if found.problem:
        sys.stderr.write(f"{file}: {found.problem}\n")
        return 1
    sys.stdout.write(f"{file}: {found.transfers} transfers, all under the head of {found.day} signed by {found.key}\n")
    for account, micros in found.balances.items():
        sys.stdout.write(f"{account}: {micros} millionths\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
