"""What was cleared for one sale, for which sound, on what evidence: public proof without a word about the buyer.

A certificate is issued, and signed, in the transaction that settles the order. The hash of its canonical form rides on
the line's ledger transfer, which the hash chain seals; the certificate itself has its place in the audit chain. `check`
recomputes the whole way back; `store.signing` checks a certificate without asking us anything.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from licensing.models import Instrument
from licensing.verdicts import Obligations, Reliance, Verdict, canonical
from payments.models import Transfer
from store import proofs, signing, sold, tagging
from store.models import Certificate, OrderLine, OrderLineTrack
from store.sold import Track, Tracks

TYPE, VERSION = "certificate of clearance", 2


def sha256_of(document: dict[str, Any]) -> str:
    """The hash that rides on the transfer."""
    return hashlib.sha256(signing.canonical(document)).hexdigest()


def address(certificate: Certificate) -> str:
    """The public page of a certificate."""
    return f"{settings.SITE_URL}{reverse('certificate', args=[certificate.public_id])}"


def issue(lines: Sequence[OrderLine], *, at: datetime, tracks: Tracks | None = None) -> dict[int, Certificate]:
    """Issue and sign the certificate of each line, inside the caller's transaction. By line; a fixed number of
    queries. `tracks` are those of `sold.tracks_of`, where they are at hand. Raises signing.BadKey where
    CERTIFICATE_KEY is no key."""
    made = []
    tracks = sold.tracks_of(lines) if tracks is None else tracks
    key, private = proofs.signing_key(at=at)
    for line in lines:
        certificate = Certificate(order_line=line, issued_at=at, key=key)
        certificate.document = document(line, tracks[line.pk], public_id=str(certificate.public_id))
        certificate.sha256 = sha256_of(certificate.document)
        text = signing.canonical(certificate.document)
        certificate.text, certificate.signature = text.decode(), signing.sign(text, private)
        made.append(certificate)
    return {certificate.order_line_id: certificate for certificate in Certificate.objects.bulk_create(made)}


def file(certificate: Certificate) -> bytes:
    """The certificate as it is handed out: signed, in one file that needs no other. Version 1 is the bare document."""
    if certificate.text is None or certificate.key is None:
        return signing.canonical(certificate.document)
    return signing.envelope(certificate.text.encode(), {certificate.key.key: str(certificate.signature)})


def document(line: OrderLine, tracks: Sequence[Track], *, public_id: str) -> dict[str, Any]:
    """What the certificate says, as plain values: text, whole numbers, lists. No name or number of the buyer."""
    order = line.order
    return {
        "type": TYPE,
        "version": VERSION,
        "certificate": public_id,
        "issuer": settings.SITE_URL,
        "sale": {
            "line": str(line.public_id),
            "at": proofs.instant(order.placed_at),
            "date": order.placed_at.date().isoformat(),
            "territory": order.country,
            "use": line.decision.use,
            "kind": "RELEASE" if line.release_id else "TRACK",
            "title": line.title,
            "artist": line.artist,
            "buyer_licence": {"name": line.buyer_licence_code, "url": line.buyer_licence_url},
        },
        "decision": {
            "id": str(line.decision.public_id),
            "sha256": line.decision.verdict_sha256,
            "engine": line.decision.engine,
            "at": proofs.instant(line.decision.at),
        },
        "recordings": [_recording(row, order.country) for row in tracks],
        "price": {
            "currency": order.currency,
            "amount_minor": line.amount_minor,
            "tax_basis_points": line.tax_rate,
            "tax_minor": line.tax_minor,
            "split_micros": _split(line),
        },
    }


def _recording(track: Track, country: str) -> dict[str, Any]:
    verdict = Verdict.from_data(track.verdict)
    relied = {share.record for share in verdict.shares_in(country)}
    return {
        "recording": track.recording_ref,
        "title": track.title,
        "artist": track.artist,
        "isrc": track.isrc,
        "sound_sha256": track.sound_sha256,
        "decision": {"id": track.decision_ref, "sha256": track.verdict_sha256},
        "attribution": _attribution(track, verdict.obligations),
        "grants": [_grant(reliance) for reliance in verdict.records if reliance.record in relied],
    }


def _attribution(track: Track, obligations: Obligations) -> dict[str, Any]:
    """Title, author, source, licence: what a public licence wants said of each copy."""
    return {
        "title": track.title,
        "author": track.artist,
        "source": tagging.proof_url(track.sound_sha256),
        "licences": [{"layer": duty.layer, "name": duty.name, "url": duty.url} for duty in obligations.licences],
        "line": obligations.attribution,
    }


def _grant(reliance: Reliance) -> dict[str, Any]:
    return {
        "record": reliance.record,
        "version": reliance.version,
        "layer": reliance.layer,
        "subject": reliance.subject,
        "holder": reliance.holder_name,
        "share": f"{reliance.share.numerator}/{reliance.share.denominator}",
        "basis": reliance.basis,
        "licence_url": reliance.licence_url,
        "territories": reliance.territories,
        "starts_on": reliance.starts_on,
        "ends_on": reliance.ends_on,
        "evidence": [{"kind": kind, "sha256": sha256} for kind, sha256 in reliance.evidence],
        "evidence_sha256": reliance.evidence_sha256,
        "reviewed_sound_sha256": reliance.sound_sha256,
        "reviewer": "independent reviewer" if reliance.reviewer_independent else "reviewer of the label",
    }


def _split(line: OrderLine) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], int] = {}
    for leg in line.split:
        key = (leg["kind"], leg["label"])
        sums[key] = sums.get(key, 0) + leg["micros"]
    return [{"kind": kind, "for": name, "micros": micros} for (kind, name), micros in sums.items()]


def check(certificate: Certificate) -> list[str]:
    """Recompute every hash a certificate names; what does not fit, in plain words. Empty: it holds.

    Compares document, signature, ledger transfer, decisions and kept evidence. That the transfer is in the sealed chain
    is for `manage.py ledger verify` to say, and that the certificate is in the audit chain for `audit verify`.
    """
    found = [*_form_problems(certificate)]
    data = certificate.document
    paid = data["price"]["amount_minor"] > 0  # for what was given away nothing is posted
    if paid and not Transfer.objects.filter(document_sha256=certificate.sha256, reverses=None).exists():
        found.append("no ledger transfer carries the certificate's hash")
    line = OrderLine.objects.select_related("decision").get(pk=certificate.order_line_id)
    if str(line.public_id) != data["sale"]["line"]:
        found.append("the document is about another line")
    rows = OrderLineTrack.objects.filter(line=line).select_related("decision")
    said = {data["decision"]["sha256"], *(each["decision"]["sha256"] for each in data["recordings"])}
    for decision in {line.decision, *(row.decision for row in rows)}:
        if hashlib.sha256(canonical(decision.verdict)).hexdigest() != decision.verdict_sha256:
            found.append(f"decision {decision.public_id} does not have its own hash")
        if decision.verdict_sha256 not in said:
            found.append(f"decision {decision.public_id} is not the one the document names")
    hashes = {item["sha256"] for each in data["recordings"] for grant in each["grants"] for item in grant["evidence"]}
    kept = set(Instrument.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
    found += [f"evidence {sha256} is not kept" for sha256 in sorted(hashes - kept)]
    return found


def _form_problems(certificate: Certificate) -> Iterator[str]:
    """What anybody can see from the file alone: the hash, the signature, and that what is shown is what was signed."""
    if sha256_of(certificate.document) != certificate.sha256:
        yield "the document does not have the hash of the certificate"
    if certificate.document.get("version") == 1:
        return  # from before certificates were signed: the ledger vouches for it
    signed = signing.read(file(certificate))
    if signed.sha256 != certificate.sha256:
        yield "what was signed does not have the hash of the certificate"
    yield from signing.problems(signed, proofs.public_keys())
