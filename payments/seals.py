"""What a seal's hash is made of. Pure, so that a seal can be made again without Django and without us."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

GENESIS = "0" * 64


def seal_sha256(position: int, previous: str, transfer: Sequence[Any]) -> str:
    """SHA-256 over one line of canonical JSON, so that anybody can compute it again from the published rows.

    `transfer` is id, reference, kind, document hash, memo, id of what it reverses, time, all as text, and the entries
    as lists of position, account code, side, micros, currency.
    """
    line = json.dumps([position, previous, *transfer], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(line.encode()).hexdigest()
