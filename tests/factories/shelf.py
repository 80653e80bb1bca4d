"""Music that stands on the shop's shelves: a cleared release with masters, files, decisions, prices and offers.

The rows are as the apps below keep them, with real verdicts, so that pages can be tested without ffmpeg and Stripe.
"""

import hashlib
import io
import itertools
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from PIL import Image

from catalog import artwork
from catalog.models import Party, Recording, Release
from licensing import dossiers, rules
from licensing.models import ClearanceDecision, GrantEvidence, Instrument, LicenceGrant, Review, RightsHolder
from licensing.records import Question, evidence_hash
from licensing.terms import Use
from licensing.territories import ALL
from licensing.verdicts import Obligations, Reason, RefusedGroup, Verdict
from payments.models import Charge, Payee
from store import baskets, checkout, settlement
from store.models import LetterOfDirection, Offer, Order, Price, ReviewDue, User
from tests.factories import catalog
from tests.factories.kept import kept
from transcoding import formats, storage
from transcoding.models import Master, Rendition, Upload
from transcoding.tags import TagSet

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BY_SA = "https://creativecommons.org/licenses/by-sa/4.0/"
_count = itertools.count(1)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_holder(party: Party) -> RightsHolder:
    return RightsHolder.objects.get_or_create(party=party)[0]


def make_master(
    recording: Recording, *, seconds: int = 180, lossless: bool = True, data: bytes = b"", **over: Any
) -> Master:
    """An accepted master as its examination leaves it; its bytes are made up, or with `data` lie in the storage."""
    number = next(_count)
    digest = hashlib.sha256(data).hexdigest() if data else sha(f"m{number}")
    key = f"masters/{digest[:2]}/{digest}"
    if data:
        _lay(key, data)
    upload = Upload.objects.create(filename=f"{number}.flac", actor="test", state=Upload.State.RELEASED)
    fields: dict[str, Any] = {
        "recording": recording,
        "upload": upload,
        "storage_key": key,
        "file_sha256": digest,
        "sound_sha256": sha(f"s{number}"),
        "container": "flac" if lossless else "mp3",
        "codec": "flac" if lossless else "mp3",
        "lossless": lossless,
        "sample_rate": 44_100,
        "bit_depth": 16 if lossless else 0,
        "channels": 2,
        "samples": 44_100 * seconds,
        "bytes": seconds * (110_000 if lossless else 32_000),
        "peaks": [300 + (n * 37) % 700 for n in range(200)],
        "loudest_second": 30,
        "state": Master.State.ACCEPTED,
        "accepted_at": NOW,
    }
    return Master.objects.create(**(fields | over))


def tags_of(master: Master, **over: Any) -> dict[str, Any]:
    """What a file says that was made for the first place of this recording."""
    track = master.recording.tracks.select_related("release").order_by("pk").first()
    place = f"{track.release.public_id}/{master.recording.public_id}" if track else ""
    said = {"title": master.recording.title, "artist_line": "Ana Lind", "place": place, "licence_url": BY_SA}
    return TagSet(**(said | over)).to_json()


def make_rendition(master: Master, code: str, data: bytes = b"", **over: Any) -> Rendition:
    """A finished file. With `data` it really lies in the audio storage."""
    number = next(_count)
    digest = hashlib.sha256(data).hexdigest() if data else sha(f"r{number}")
    key = f"renditions/{digest[:2]}/{digest}.{formats.get(code).extension or 'mp3'}"
    if data:
        _lay(key, data)
    fields: dict[str, Any] = {
        "master": master,
        "format": code,
        "recipe": formats.get(code).recipe,
        "tag_signature": sha(f"t{number}"),
        "tags": tags_of(master),
        "state": Rendition.State.READY,
        "storage_key": key,
        "sha256": digest,
        "bytes": len(data) or 5_000_000,
        "samples": master.samples,
        "sample_rate": master.sample_rate,
        "ready_at": NOW,
    }
    if code.startswith("PREVIEW"):
        cut = {"start_ms": 30_000, "length_ms": 30_000, "fade_in_ms": 500, "fade_out_ms": 1500}
        fields |= {"purpose": Rendition.Purpose.PREVIEW, "cut": cut}
    return Rendition.objects.create(**(fields | over))


def _lay(key: str, data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        storage.put_file(key, Path(file.name))


def make_instrument(text: str, kind: str = "TAG_STATEMENT") -> Instrument:
    return Instrument.objects.create(
        kind=kind,
        text=text,
        sha256=sha(text),
        bytes=len(text.encode()),
        media_type="text/plain",
        captured_at=NOW,
        captured_by="test",
    )


def make_records(
    recording: Recording,
    sound_sha256: str,
    *,
    holder: RightsHolder,
    countries: Sequence[str] = (),
    licence: str = BY_SA,
) -> list[LicenceGrant]:
    """An approved record for the recording and for its work, on a public licence or else an agreement."""
    made = []
    for layer, subject in (("RECORDING", recording), ("WORK", recording.works.first())):
        if subject is None:
            continue
        evidence = make_instrument(f"{layer} of {recording.pk}: {licence}", "TAG_STATEMENT" if licence else "AGREEMENT")
        grant = LicenceGrant.objects.create(
            layer=layer,
            **{layer.lower(): subject},
            basis="PUBLIC_LICENCE" if licence else "DIRECT",
            licensor=holder,
            licensee="PUBLIC" if licence else "STORE",
            licence_url=licence,
            uses=[use.value for use in Use],
            territory_mode="ONLY" if countries else "WORLD_EXCEPT",
            territories=sorted(countries),
            cmo_status="NOT_BOUND",
            submitted_by="test",
            submitted_for=recording.label,
            created_at=NOW,
        )
        GrantEvidence.objects.create(grant=grant, instrument=evidence)
        Review.objects.create(
            grant=grant,
            outcome="APPROVED",
            reviewer="user:rita",
            evidence_sha256=evidence_hash([evidence.sha256]),
            sound_sha256=sound_sha256 if layer == "RECORDING" else "",
            at=NOW,
        )
        made.append(grant)
    return made


def make_verdict(
    recording: Recording, master: Master, *, holder: RightsHolder, countries: Sequence[str] = (), licence: str = BY_SA
) -> Verdict:
    """Cleared in `countries`, or everywhere where none is given, on one public licence for each layer."""
    make_records(recording, master.sound_sha256, holder=holder, countries=countries, licence=licence)
    question = Question(Use.PERMANENT_DOWNLOAD, NOW, sound_sha256=master.sound_sha256)
    return rules.decide(question, dossiers.load([recording.pk], at=NOW)[recording.pk])


def keep(
    verdict: Verdict,
    *,
    recording: Recording | None = None,
    release: Release | None = None,
    use: Use = Use.PERMANENT_DOWNLOAD,
) -> ClearanceDecision:
    return ClearanceDecision.objects.create(
        recording=recording,
        release=release,
        use=use,
        at=NOW,
        engine="test",
        cleared_countries=list(verdict.cleared_countries),
        verdict=verdict.to_data(),
        verdict_sha256=verdict.sha256,
        answer_sha256=verdict.answer_sha256,
        sound_sha256=verdict.question.sound_sha256,
        actor="test",
    )


def refuse(recording: Recording, master: Master, *, code: str = "NC_FORBIDS_SALE") -> ClearanceDecision:
    """A decision that clears nothing, for the reason given."""
    reason = Reason.of(code, layer="RECORDING", record="some-record")
    question = Question(Use.PERMANENT_DOWNLOAD, NOW, sound_sha256=master.sound_sha256)
    verdict = Verdict(
        str(recording.public_id), question, "test", (), (RefusedGroup(ALL, (reason,)),), (), Obligations(), None
    )
    return keep(verdict, recording=recording)


def make_letter(holder: RightsHolder, payee_name: str = "") -> LetterOfDirection:
    payee = Payee.objects.create(name=payee_name or holder.party.name, email="pay@example.org", country="DE")
    return LetterOfDirection.objects.create(
        holder=holder, payee=payee, starts_on=NOW.date().replace(year=2020), signed_by="Bob"
    )


def make_cover(release: Release, *, hue: int = 120) -> None:
    out = io.BytesIO()
    Image.new("HSV", (300, 300), (hue % 256, 120, 180)).convert("RGB").save(out, "PNG")
    artwork.attach(release, out.getvalue())


@kept(unless=frozenset({"files", "preview"}))  # whose bytes it stores
def shelve(
    title: str = "First Light",
    *,
    artist: Party | None = None,
    label: Party | None = None,
    tracks: int = 2,
    countries: Sequence[str] = (),
    price_minor: int = 100,
    lossless: bool = True,
    refused: int = 0,
    preview: bytes = b"",
    files: bool = False,
    whole: bool = True,
    **over: Any,
) -> Release:
    """A release of `tracks` tracks on sale; the last `refused` of them are not cleared, and then it sells singly."""
    label = label or catalog.make_label()
    artist = artist or catalog.make_party("Ana Lind")
    holder = make_holder(label)
    release = catalog.make_release(title, artist=artist, label=label, **over)
    verdicts: list[tuple[str, Verdict]] = []
    for number in range(1, tracks + 1):
        recording = catalog.make_recording(f"{title}, part {number}", artist=artist, label=label)
        track = catalog.make_track(release, recording, number=number)
        kept = f"master {title} {number} ".encode() * 40 if files else b""
        master = make_master(recording, lossless=lossless, seconds=120 + 17 * number, data=kept)
        make_rendition(master, "PREVIEW_MP3", preview + bytes([number]) if preview else b"")
        for code in ("FLAC", "MP3_V0") if lossless else ("ORIGINAL",):
            make_rendition(master, code, f"{code} {title} {number} ".encode() * 40 if files else b"")
        if number > tracks - refused:
            refuse(recording, master)
            continue
        verdict = make_verdict(recording, master, holder=holder, countries=countries)
        verdicts.append((recording.title, verdict))
        decision = keep(verdict, recording=recording)
        keep(verdict, recording=recording, use=Use.PREVIEW)
        Price.objects.create(recording=recording, currency="EUR", amount_minor=price_minor)
        make_offer(track=track, decision=decision, amount_minor=price_minor)
    if whole and not refused:
        asked = Question(Use.PERMANENT_DOWNLOAD, NOW)
        decision = keep(rules.decide_release(str(release.public_id), asked, verdicts), release=release)
        make_offer(release=release, decision=decision, amount_minor=price_minor * tracks * 4 // 5)
    ReviewDue.objects.filter(recording__in=release.recordings.all()).delete()  # as a worker leaves it
    return release


def make_offer(**fields: Any) -> Offer:
    with transaction.atomic():
        return Offer.objects.create(**({"currency": "EUR", "opened_at": NOW} | fields))


def sell(*offers: Offer, buyer: User, country: str = "DE", at: datetime = NOW) -> Order:
    """A paid and settled order of these offers, through the shop's own acts; only Stripe is left out."""
    basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
    for offer in offers:
        baskets.add(basket, offer)
    key = f"key-{next(_count)}"
    order = checkout.place_order(
        basket, buyer=buyer, country=country, evidence={"stated": country}, consent=True, request_key=key, at=at
    )
    return pay(order, at=at)


def pay(order: Order, *, at: datetime = NOW) -> Order:
    """The order as it stands once Stripe has said that it is paid."""
    Charge.objects.create(
        reference=order.number,
        request_sha256="0" * 64,
        amount_minor=order.total_minor,
        currency=order.currency,
        state=Charge.State.PAID,
        transfer_group=order.number,
        paid_at=at,
    )
    return settlement.settle_order(order, at=at)


def whole(release: Release) -> Offer:
    """The open offer of a release as a whole."""
    return Offer.objects.get(release=release, closed_at=None)


def single(release: Release, number: int = 1) -> Offer:
    """The open offer of one of its tracks."""
    return Offer.objects.get(track__release=release, track__number=number, closed_at=None)
