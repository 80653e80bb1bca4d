"""One screen holds what bears on a record, and says what an approval would change."""

import re

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party, Recording
from licensing import reviews
from licensing.models import ClearanceDecision, LicenceGrant
from licensing.terms import EvidenceKind
from licensing.territories import TerritorySet
from store import cases, records
from tests.factories import catalog, licensing, transcoding
from transcoding.models import Finding, Master


def _page(client: Client, grant: LicenceGrant) -> str:
    return client.get(reverse("review-case", args=[grant.record_id])).text


def _outcomes(grant: LicenceGrant) -> list[cases.Outcome]:
    record = records.read(records.newest().filter(pk=grant.pk))[0]
    heard = cases.sounds(grant)
    return cases.outcomes(record, heard, cases.grounds(heard, at=timezone.now()))


def test_approving_one_layer_says_what_the_other_still_lacks(grant: LicenceGrant) -> None:
    (outcome,) = _outcomes(grant)
    assert outcome.countries == ()
    assert [reason.text for reason in outcome.reasons] == ["Work: a reviewer looks at the evidence."]


def test_approving_the_last_record_would_clear_the_world(recording: Recording, grant: LicenceGrant) -> None:
    work = LicenceGrant.objects.get(layer="WORK")
    reviews.approve(work, reviewer=licensing.RITA, sound_sha256="", at=timezone.now())
    (outcome,) = _outcomes(grant)
    assert len(outcome.countries) == 249
    assert not outcome.reasons


def test_what_would_be_cleared_is_only_where_the_record_holds(label: Party) -> None:
    recording = catalog.make_recording(label=label)
    master = transcoding.make_master(recording)
    for work in recording.works.all():
        licensing.make_approved(work, sound=master.sound_sha256)
    grant = licensing.make_grant(recording, territories=TerritorySet.only("DE", "AT"), submitted_for=label)
    (outcome,) = _outcomes(grant)
    assert outcome.countries == ("AT", "DE")
    europe = next(region for region in outcome.regions if region.name == "Europe")
    assert [one.code for one in europe.countries if one.cleared] == ["AT", "DE"]


def test_asking_keeps_no_decision_and_makes_no_review(at_ritas: Client, grant: LicenceGrant) -> None:
    _page(at_ritas, grant)
    assert not ClearanceDecision.objects.exists()


def test_a_licence_that_nobody_knows_is_pointed_out(at_ritas: Client, label: Party) -> None:
    recording = catalog.make_recording(label=label)
    grant = licensing.make_grant(recording, licence_url="", licence_statement="CC BY", submitted_for=label)
    assert "does not say which version" in _page(at_ritas, grant)


def test_findings_of_the_examination_are_shown(at_ritas: Client, recording: Recording, grant: LicenceGrant) -> None:
    master = Master.objects.get(recording=recording)
    transcoding.make_finding(master, severity=Finding.Severity.WARNING, message="Clipped in 14 places.")
    assert "Clipped in 14 places." in _page(at_ritas, grant)


def test_the_same_sound_elsewhere_is_pointed_out(at_ritas: Client, recording: Recording, grant: LicenceGrant) -> None:
    twin = catalog.make_recording("Stolen", label=catalog.make_label("Other"))
    transcoding.make_master(twin, sound_sha256=Master.objects.get(recording=recording).sound_sha256)
    assert "The very same sound is here as “Stolen” of Other." in _page(at_ritas, grant)


def test_keys_stand_on_their_buttons(at_ritas: Client, grant: LicenceGrant) -> None:
    page = _page(at_ritas, grant)
    keys = {key for keys in re.findall(r'data-key="([^"]+)"', page) for key in keys.split()}
    assert keys >= {"a", "r", "q", "j", "n", "u", "m", "?"}
    assert all(f"<kbd>{key}</kbd>" in page for key in keys)


def test_evidence_of_strangers_is_text_and_never_markup(at_ritas: Client, label: Party) -> None:
    evil = licensing.make_evidence(text="<script>alert(1)</script><img src=x onerror=alert(2)>")
    grant = licensing.make_grant(catalog.make_recording(label=label), evidence=[evil], submitted_for=label)
    page = _page(at_ritas, grant)
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_an_attachment_is_saved_and_never_shown(at_ritas: Client, label: Party) -> None:
    evil = licensing.make_evidence(
        EvidenceKind.AGREEMENT, text="", data=b"<html><script>x</script>", media_type="text/html"
    )
    answer = at_ritas.get(reverse("review-evidence", args=[evil.public_id]))
    assert answer.getvalue().startswith(b"<html>")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox; default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_text_has_no_attachment(at_ritas: Client, grant: LicenceGrant) -> None:
    piece = grant.evidence.first()
    assert at_ritas.get(reverse("review-evidence", args=[piece.public_id])).status_code == 404


def test_a_case_costs_the_same_beside_a_long_queue(at_ritas: Client, label: Party, grant: LicenceGrant) -> None:
    counts = []
    for size in (2, 20):
        for _ in range(size):
            licensing.make_grant(catalog.make_recording(label=label), submitted_for=label)
        _page(at_ritas, grant)
        with CaptureQueriesContext(connection) as seen:
            _page(at_ritas, grant)
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert counts[0] <= 100
