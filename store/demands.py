"""What somebody from outside demands: found from what they typed, confirmed from their mailbox, handed to the desk.

The form is open to everybody, so it is fenced: a demand counts for nothing before its sender has confirmed it; one
sender and one address may make only so many; and what is not confirmed is forgotten after some days.
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.db.models import QuerySet
from django.urls import reverse

from catalog.models import Party, Recording, Release, Track, Work
from licensing import instruments
from licensing.models import Instrument
from licensing.terms import EvidenceKind, Layer
from store import letters
from store.errors import DemandRefused
from store.models import Demand

Subject = Recording | Work | Release | Party

SALT = "store.demands.confirm"
CONFIRM_WITHIN = timedelta(days=3)
FORGET_AFTER = timedelta(days=7)
PER_EMAIL_IN = timedelta(days=1)
PER_ADDRESS_IN = timedelta(hours=1)
_LOCK = 0x64656D616E6473  # the limits are counted by one at a time

_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_ISWC = re.compile(r"T[0-9]{10}")
_PAGE = re.compile(r"/(release|label)/([-\w]+)/?")
_TRACK = re.compile(r"track-([0-9]{1,15})")


def find(text: str) -> Subject | None:
    """The recording, work, release or label meant: by ISRC, ISWC or the address of a page of this shop; else None."""
    code = re.sub(r"[\s.-]", "", text).upper()
    if _ISRC.fullmatch(code):
        return Recording.objects.filter(isrc=code).first()
    if _ISWC.fullmatch(code):
        return Work.objects.filter(iswc=code).first()
    try:
        address = urlsplit(text.strip())
        page = _PAGE.fullmatch(unquote(address.path))
    except ValueError:  # not an address at all
        page = None
    if page is None:
        return None
    kind, slug = page.groups()
    if kind == "label":
        return Party.objects.filter(slug=slug).first()
    release = Release.objects.filter(slug=slug).first()
    track = _TRACK.fullmatch(address.fragment)
    if release is None or track is None:
        return release
    placed = Track.objects.filter(pk=int(track[1]), release=release).select_related("recording").first()
    return placed.recording if placed else None


def subject_of(demand: Demand) -> Subject:
    return demand.recording or demand.work or demand.release or demand.label  # type: ignore[return-value]


def make(
    subject: Subject,
    *,
    kind: str,
    name: str,
    email: str,
    statement: str,
    address: str,
    at: datetime,
    layer: str = "",
    on_behalf_of: str = "",
) -> Demand:
    """Keep a demand and owe its sender the letter that confirms it. Raises DemandRefused above the limits."""
    if layer not in {"", *Layer}:
        raise DemandRefused("Say whether it is about the recording, the composition, or both.")
    field = {Recording: "recording", Work: "work", Release: "release", Party: "label"}[type(subject)]
    email = email.lower()
    with transaction.atomic():
        _within_limits(email, _hash_of(address), at)
        demand = Demand.objects.create(
            **{field: subject},
            kind=kind,
            layer=layer if kind == "DISPUTE" else "",
            name=name,
            email=email,
            on_behalf_of=on_behalf_of,
            statement=statement,
            address_sha256=_hash_of(address),
            made_at=at,
        )
        letters.owe(
            "demand_confirm",
            about=demand.public_id,
            to=[email],
            subject=f"Please confirm your report about {title_of(subject)}",
            at=at,
            template="demand_confirm",
            demand=demand,
            title=title_of(subject),
            days=CONFIRM_WITHIN.days,
            link=f"{settings.SITE_URL}{reverse('report-confirm', args=[token_of(demand)])}",
        )
    return demand


def token_of(demand: Demand) -> str:
    """What only the owner of the mailbox knows."""
    return signing.Signer(salt=SALT).sign(demand.public_id.hex)


def by_token(token: str, *, at: datetime) -> Demand:
    """The demand that a letter's link names. Raises DemandRefused, always in the same words."""
    gone = DemandRefused("This link has ended or is not whole. Copy it from the letter, or report again.")
    try:
        key = signing.Signer(salt=SALT).unsign(token)
        demand = Demand.objects.filter(public_id=key).select_related("recording", "work", "release", "label").first()
    except (signing.BadSignature, ValueError):
        raise gone from None
    if demand is None or (demand.confirmed_at is None and at > demand.made_at + CONFIRM_WITHIN):
        raise gone
    return demand


def confirm(demand: Demand, *, at: datetime, letter: bytes = b"", media_type: str = "application/pdf") -> Demand:
    """The sender has confirmed it; from now on it waits for the desk. Confirming twice is once.

    A paper is taken only here: nobody fills our disks without a mailbox of her own.
    """
    if demand.confirmed_at is not None:
        return demand
    paper = _kept(letter, media_type, demand, at) if letter else None
    with transaction.atomic():
        mine = Demand.objects.filter(pk=demand.pk, confirmed_at=None).update(
            confirmed_at=at, state=Demand.State.WAITING, instrument=paper
        )
        demand.refresh_from_db()
        if mine:
            letters.owe(
                "demand_received",
                about=demand.public_id,
                to=[demand.email],
                subject=f"Your report about {title_of(subject_of(demand))} is with us",
                at=at,
                template="demand_received",
                demand=demand,
                title=title_of(subject_of(demand)),
            )
    return demand


def refuse(demand: Demand, *, reason: str, actor: str, at: datetime) -> Demand:
    """The desk makes no notice of it, and tells its sender why. Raises DemandRefused."""
    if not reason.strip():
        raise DemandRefused("Say why nothing is taken down; whoever sent it reads the reason.")
    with transaction.atomic():
        mine = Demand.objects.filter(pk=demand.pk, state=Demand.State.WAITING).update(
            state=Demand.State.REFUSED, reason=reason, decided_by=actor, decided_at=at
        )
        if not mine:
            raise DemandRefused("This report was dealt with before.")
        demand.refresh_from_db()
        letters.owe(
            "demand_refused",
            about=demand.public_id,
            to=[demand.email],
            subject=f"Your report about {title_of(subject_of(demand))}",
            at=at,
            template="demand_refused",
            demand=demand,
            title=title_of(subject_of(demand)),
        )
    return demand


def waiting() -> QuerySet[Demand]:
    """What waits for the desk, the oldest first."""
    return every().filter(state=Demand.State.WAITING).order_by("pk")


def every() -> QuerySet[Demand]:
    """All that was ever confirmed, with what it is about."""
    rows = Demand.objects.exclude(state=Demand.State.UNCONFIRMED)
    return rows.select_related("recording__label", "work", "release__label", "label", "instrument", "notice")


def forget(*, at: datetime) -> int:
    """Delete what nobody confirmed; returns how many."""
    old = Demand.objects.filter(state=Demand.State.UNCONFIRMED, made_at__lt=at - FORGET_AFTER)
    return old.delete()[0]


def title_of(subject: Subject) -> str:
    """A subject in words."""
    if isinstance(subject, Party):
        return f"everything of {subject.name}"
    return f"“{subject.full_title if isinstance(subject, Recording) else subject.title}”"


def _within_limits(email: str, address: str, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    sent = Demand.objects.filter(email=email, made_at__gt=at - PER_EMAIL_IN).count()
    near = Demand.objects.filter(address_sha256=address, made_at__gt=at - PER_ADDRESS_IN).count()
    if sent >= settings.REPORTS_PER_EMAIL or near >= settings.REPORTS_PER_ADDRESS:
        raise DemandRefused(
            "That is more reports than one sender may make in a short time. Put several titles into one report, or "
            "write to us by letter."
        )


def _hash_of(address: str) -> str:
    """Enough to count by, too little to find somebody by without our key."""
    return hmac.new(settings.SECRET_KEY.encode(), f"{SALT}:{address}".encode(), hashlib.sha256).hexdigest()


def _kept(letter: bytes, media_type: str, demand: Demand, at: datetime) -> Instrument:
    return instruments.capture(
        EvidenceKind.LETTER, data=letter, media_type=media_type, actor=f"demand:{demand.public_id}", at=at
    )
