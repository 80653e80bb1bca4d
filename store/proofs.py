"""The store's own word for what it keeps: its keys, and the daily heads of its two chains, for others to keep.

A head says how far the audit chain and the ledger's chain had come on a day, and with which hashes. Signed, and kept by
somebody whom nobody here can reach, it shows a chain that was cut off or written anew as a whole.
"""

import base64
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from licensing import audit
from licensing.audit import GENESIS, Problem
from licensing.models import AuditEntry
from payments import chain
from payments.models import TransferSeal
from store import embedded, signing
from store.models import SignedHead, SigningKey

TYPE, VERSION = "head of the chains", 2  # the first version had no root of the ledger


# ---- keys ----------------------------------------------------------------------------------------------------------


def private_key() -> Ed25519PrivateKey:
    """The key that signs: CERTIFICATE_KEY, or one made on first use and kept in the home. Raises signing.BadKey."""
    kept = settings.CERTIFICATE_KEY or embedded.kept_secret("certificate_key", make=signing.fresh)
    return signing.private_key(kept)


def signing_key(*, at: datetime) -> tuple[SigningKey, Ed25519PrivateKey]:
    """The key that signs now, with its public row, which is written on first use and stays when another follows."""
    private = private_key()
    public = signing.public_bytes(private)
    name = signing.key_id(public)
    known = SigningKey.objects.filter(key=name).first()
    if known is None:
        row = SigningKey(key=name, public=base64.b64encode(public).decode(), since=at)
        SigningKey.objects.bulk_create([row], ignore_conflicts=True)  # another process may have been quicker
        known = SigningKey.objects.get(key=name)
    return known, private


def public_keys() -> dict[str, bytes]:
    """Every key that ever signed, by its id."""
    return {row.key: row.public_bytes for row in SigningKey.objects.all()}


def keys_document() -> dict[str, Any]:
    """The public keys as they are published; `signing.read_keys` reads it."""
    rows = SigningKey.objects.order_by("since", "pk")
    listed = [
        {"key": row.key, "public": row.public, "since": instant(row.since), "pem": signing.pem(row.public_bytes)}
        for row in rows
    ]
    return {"algorithm": "Ed25519", "issuer": settings.SITE_URL, "keys": listed}


def instant(at: datetime) -> str:
    """A moment as documents write it: UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# ---- heads ---------------------------------------------------------------------------------------------------------


def head_due(*, at: datetime) -> bool:
    """Whether a day has begun of which no head was signed. A store without any evidence owes none."""
    return not SignedHead.objects.filter(day=at.astimezone(UTC).date()).exists() and AuditEntry.objects.exists()


def sign_head(*, at: datetime) -> SignedHead:
    """Sign the head of the day; signing it again gives the one that was signed before."""
    day = at.astimezone(UTC).date()
    with transaction.atomic():
        position, sha256 = audit.head()
        ledger_position, ledger_sha256 = chain.head()
        root = chain.roots([ledger_position])[ledger_position]
        before = SignedHead.objects.filter(day__lt=day).order_by("-day").first()
        text = signing.canonical(
            {
                "type": TYPE,
                "version": VERSION,
                "issuer": settings.SITE_URL,
                "day": day.isoformat(),
                "at": instant(at),
                "audit": {"position": position, "sha256": sha256},
                "ledger": {"position": ledger_position, "sha256": ledger_sha256, "root": root},
                "previous_sha256": before.sha256 if before else GENESIS,
            }
        )
        key, private = signing_key(at=at)
        row = SignedHead(
            day=day, text=text.decode(), sha256=hashlib.sha256(text).hexdigest(), key=key,
            signature=signing.sign(text, private), signed_at=at,
        )  # fmt: skip
        SignedHead.objects.bulk_create([row], ignore_conflicts=True)
    return SignedHead.objects.get(day=day)


def heads_file(rows: Iterable[SignedHead]) -> bytes:
    """The heads as they are published: a list of signed files, one a line. `read_heads` reads it."""
    files = [signing.envelope(row.text.encode(), {row.key.key: row.signature}) for row in rows]
    return b'{"heads":[\n' + b",\n".join(files) + b"\n]}\n"


def heads() -> QuerySet[SignedHead]:
    """Every head, the oldest first."""
    return SignedHead.objects.select_related("key").order_by("day")


def read_heads(data: bytes) -> list[signing.SignedFile]:
    """The heads of a file that somebody kept. Raises signing.BadFile."""
    return signing.read_list(data, "heads")


# ---- verifying -----------------------------------------------------------------------------------------------------


def verify(kept: bytes | None = None, keys: Mapping[str, bytes] | None = None) -> audit.Report:
    """Verify the audit chain against every head the store signed, and those that somebody kept (`kept`).

    `keys` are those that the keeper of the heads holds for the store's; without them, those that the store names.
    Raises signing.BadFile where the kept heads cannot be read.
    """
    own = read_heads(heads_file(heads()))
    theirs = read_heads(kept) if kept is not None else []
    our_keys = public_keys()
    their_keys = our_keys if keys is None else keys
    sound = [head for head in own if _is_head(head, our_keys)] + [head for head in theirs if _is_head(head, their_keys)]
    report = audit.verify({head.document["audit"]["position"]: head.document["audit"]["sha256"] for head in sound})
    if report.problem is not None:
        return report
    found = itertools.chain(
        _head_problems(own, our_keys), _head_problems(theirs, their_keys), _link_problems(own),
        _other_word_problems(own, theirs), _ledger_problems(sound),
    )  # fmt: skip
    return replace(report, problem=next(found, None))


def _is_head(head: signing.SignedFile, keys: Mapping[str, bytes]) -> bool:
    return head.document.get("type") == TYPE and not signing.problems(head, keys)


def _head_problems(heads: Iterable[signing.SignedFile], keys: Mapping[str, bytes]) -> Iterator[Problem]:
    """Heads that nobody signed, or that were signed as something else."""
    for head in heads:
        name = f"head of {head.document.get('day', 'no day')}"
        for what in signing.problems(head, keys):
            yield Problem("head", name, what)
        if head.document.get("type") != TYPE:
            yield Problem("head", name, "it is signed, but not as a head")


def _link_problems(own: Iterable[signing.SignedFile]) -> Iterator[Problem]:
    """Of the store's own heads none may be missing; others may keep as few as they like."""
    previous = GENESIS
    for head in own:
        if head.document["previous_sha256"] != previous:
            yield Problem("head", f"head of {head.document['day']}", "it does not follow the one before: one is gone")
        previous = head.sha256


def _other_word_problems(own: Iterable[signing.SignedFile], theirs: Iterable[signing.SignedFile]) -> Iterator[Problem]:
    """Days for which the store now says something else than it said to whoever kept its heads."""
    now = {head.document["day"]: head.sha256 for head in own}
    for head in theirs:
        day = head.document["day"]
        if now.get(day) != head.sha256:
            what = "the store no longer has it" if day not in now else "the store now shows another one for that day"
            yield Problem("head", f"head of {day}", what)


def _ledger_problems(heads: Iterable[signing.SignedFile]) -> Iterator[Problem]:
    """Heads of the ledger's chain that its seals do not have; the chain itself is for `ledger verify`."""
    said = {head.document["ledger"]["position"]: head.document["ledger"]["sha256"] for head in heads}
    found = dict(TransferSeal.objects.filter(position__in=said).values_list("position", "sha256"))
    for position, sha256 in sorted(said.items()):
        if position and found.get(position) != sha256:
            yield Problem("ledger", f"seal {position}", "it is not the one that was published as the ledger's head")
