"""Proof for anybody: the certificate of a sale, and what stands behind a sound."""

import json
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from catalog.credits import artist_line
from catalog.models import Recording, Track
from licensing import audit
from licensing.licences import LicenceError
from licensing.licences import parse as parse_licence
from licensing.verdicts import Verdict, canonical
from payments.models import Transfer
from store import certificates, clearing, papers, proofs
from store.kept import kept
from store.models import Certificate
from store.views.bills import licence_words
from store.views.release import GRANT_WORDS, LAYERS, grant_words
from store.views.sleeves import shown
from transcoding.models import Master

EVIDENCE_WORDS = {
    "TAG_STATEMENT": "the licence stated in the delivered file",
    "AGREEMENT": "a signed agreement",
    "DECLARATION": "the label's declaration",
    "LICENCE_PAGE": "the licence's own page, captured",
}
BASIS_WORDS = {
    "DIRECT": "Direct agreement with the shop",
    "PD": "Public domain",
    "CMO": "Licence of a collecting society",
    "STATUTORY": "Statutory licence",
    "PASS_THROUGH": "Passed through by the label",
    "DDEX_DEAL": "Deal under an agreement with the label",
    "CC_PLUS": "Direct agreement beside a public licence",
}
LAYER_WORDS = dict(LAYERS)
PDF_KEPT = 24 * 3600  # seconds
HEADS_SHOWN = 60


def _grant(grant: dict[str, Any]) -> dict[str, Any]:
    """A grant of the document in words; unknown terms stand as they are."""
    url = grant["licence_url"]
    try:
        licence = parse_licence(url).name if url else BASIS_WORDS.get(grant["basis"], grant["basis"])
    except LicenceError:
        licence = url
    evidence = [{**item, "word": EVIDENCE_WORDS.get(item["kind"], item["kind"])} for item in grant["evidence"]]
    return {
        **grant,
        "layer_word": LAYER_WORDS.get(grant["layer"], grant["layer"]),
        "licence": licence,
        "evidence": evidence,
    }


@require_safe
def certificate(request: HttpRequest, public_id: UUID) -> HttpResponse:
    found = _certificate(public_id)
    document = found.document
    transfer = Transfer.objects.filter(document_sha256=found.sha256, reverses=None).select_related("seal").first()
    context = {
        "certificate": found,
        "sale": document["sale"],
        "buyer_licence": licence_words(document["sale"]["buyer_licence"]["name"]),
        "decision": document["decision"],
        "price": document["price"],
        "recordings": [_recording(recording) for recording in document["recordings"]],
        "transfer": transfer,
        "seal": getattr(transfer, "seal", None),
        "entry": audit.place_of(Certificate._meta.db_table, found.pk),
        "problems": certificates.check(found),
    }
    return render(request, "shop/certificate.html", context)


def _certificate(public_id: UUID) -> Certificate:
    return get_object_or_404(Certificate.objects.select_related("key"), public_id=public_id)


def _recording(recording: dict[str, Any]) -> dict[str, Any]:
    """A recording of the document with its grants in words. Version 1 had the attribution as one line alone."""
    said = recording["attribution"]
    attribution = said if isinstance(said, dict) else {"line": said}
    return {**recording, "attribution": attribution, "grants": [_grant(grant) for grant in recording["grants"]]}


@require_safe
def certificate_json(_request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The signed certificate in one file that needs no other."""
    found = _certificate(public_id)
    return _for_anybody(certificates.file(found), etag=found.sha256)


@require_safe
def certificate_pdf(_request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The same on paper, A4; always the same bytes for the same certificate."""
    found = _certificate(public_id)
    key = f"certificate-pdf:{papers.EDITION}:{found.sha256}"
    data = kept(key, lambda: papers.certificate(found), seconds=PDF_KEPT)
    response = HttpResponse(data, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="certificate-{found.public_id}.pdf"'
    return response


@require_safe
def heads(request: HttpRequest) -> HttpResponse:
    """How far the chains had come, day by day, for others to keep."""
    newest = list(proofs.heads().reverse()[:HEADS_SHOWN])
    rows = [{"head": row, "document": json.loads(row.text)} for row in newest]
    return render(request, "shop/proof_heads.html", {"rows": rows, "waiting": audit.waiting()})


@require_safe
def heads_json(_request: HttpRequest) -> HttpResponse:
    return _for_anybody(proofs.heads_file(proofs.heads()))


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """The public halves of the keys that sign here, those that were replaced included."""
    return render(request, "shop/proof_keys.html", proofs.keys_document())


@require_safe
def keys_json(_request: HttpRequest) -> HttpResponse:
    return _for_anybody(canonical(proofs.keys_document()))


def _for_anybody(data: bytes, *, etag: str = "") -> HttpResponse:
    """Proof may be read by a page of any site: whoever verifies need not ask through us."""
    response = HttpResponse(data, content_type="application/json")
    response["Access-Control-Allow-Origin"] = "*"
    if etag:
        response["ETag"] = f'"{etag}"'
    return response


@require_safe
def proof(request: HttpRequest, sound: str) -> HttpResponse:
    """What stands behind a sound: each recording that has it, and on what it is cleared now. Files name this page."""
    keys = list(
        Master.objects.filter(sound_sha256=sound, state=Master.State.ACCEPTED).values_list("recording", flat=True)
    )
    decisions = clearing.latest_of_recordings(keys)
    if not decisions:
        raise Http404("No recording here has this sound.")
    recordings = Recording.objects.filter(pk__in=decisions).select_related("label").with_credits()
    on_sale = shown().values("pk")
    tracks = Track.objects.filter(recording__in=decisions, release__in=on_sale).select_related("release")
    releases: dict[int, list[Track]] = {}
    for track in tracks:
        releases.setdefault(track.recording_id, []).append(track)
    rows = []
    for recording in recordings:
        decision = decisions[recording.pk]
        verdict = Verdict.from_data(decision.verdict)
        grants: list[dict[str, Any]] = [
            dict(zip(GRANT_WORDS, grant_words(record), strict=True))
            | {
                "layer_word": LAYER_WORDS.get(record.layer, record.layer),
                "evidence": [
                    {"word": EVIDENCE_WORDS.get(kind, kind), "sha256": digest} for kind, digest in record.evidence
                ],
                "reviewer": "an independent reviewer" if record.reviewer_independent else "a reviewer of the label",
            }
            for record in verdict.records
        ]
        rows.append(
            {
                "title": recording.full_title,
                "by": artist_line(recording),
                "label": recording.label.name,
                "isrc": recording.isrc or "",
                "decision": decision,
                "countries": verdict.cleared_countries,
                "current": clearing.holds(decision, at=timezone.now()),
                "grants": grants,
                "tracks": releases.get(recording.pk, []),
            }
        )
    return render(request, "shop/proof.html", {"sound": sound, "rows": rows})
