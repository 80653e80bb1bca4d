"""Evidence or a master swapped after the approval, under the same key: off sale by itself, and flagged."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Track
from licensing import dossiers, grants, scrubbing
from licensing.models import ByteCheck, ClearanceDecision, Instrument, LicenceGrant, Reclearance, evidence_storage
from licensing.models.scrubbing import Place
from licensing.terms import Basis, EvidenceKind, Layer
from licensing.verdicts import Verdict
from store import offers
from store import scrubbing as all_bytes
from store.errors import NotOnSale
from store.models import Letter, Offer, ReviewDue
from tests.factories import catalog, licensing, transcoding
from tests.factories.store import make_user, sign_in
from tests.store.conftest import make_ready
from transcoding import storage
from transcoding.errors import StorageCorrupt
from transcoding.models import Master

pytestmark = pytest.mark.django_db

AGREEMENT = b"We license this recording to the store, for the world, until further notice."
FORGED = b"We license whatever the store likes, for the world, for nothing, for ever. Bob"
FLAC = b"fLaC" + bytes(range(256)) * 40


@pytest.fixture
def shelf(settings, tmp_path):
    """One track on sale: an agreement and a master whose bytes really lie in a storage of the test's own."""
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "evidence"}}
    settings.STORAGES = {**settings.STORAGES, "evidence": plain}
    settings.AUDIO_ROOT, settings.AUDIO_BUCKET = tmp_path / "audio", ""
    source = tmp_path / "master.flac"
    source.write_bytes(FLAC)
    release = catalog.make_release("First Light", label=catalog.make_label("Bob's Records"))
    recording = catalog.make_recording("Piece", label=release.label)
    catalog.make_track(release, recording, number=1)
    sha256 = storage.sha256_of(source)
    storage.put_file(storage.master_key(sha256), source)
    master = transcoding.make_master(recording, file_sha256=sha256)
    evidence = [
        licensing.make_evidence(EvidenceKind.AGREEMENT, data=AGREEMENT, media_type="application/pdf", text=""),
        licensing.make_evidence(EvidenceKind.DECLARATION, text="Our own works."),
        licensing.make_evidence(),
    ]
    licensing.make_cleared(recording, sound=master.sound_sha256, evidence=evidence)
    offers.set_price(recording, currency="EUR", amount_minor=100, actor="user:bob")
    review()
    make_ready()
    review()
    assert standing()
    all_bytes.scrub(at=timezone.now())
    return release


def review():
    while offers.review_due(at=timezone.now()).recordings:
        pass


def standing():
    return Offer.objects.filter(closed_at=None).exists()


def swap(path, data):
    path.chmod(0o644)
    path.write_bytes(data)


def agreement():
    return Path(evidence_storage().path(str(Instrument.objects.exclude(file="").get().file)))


def master_file():
    return storage.path_of(Master.objects.get().storage_key)


def scrub_again(days=31):
    """Time passes, and what was found whole is due once more."""
    return all_bytes.scrub(at=timezone.now() + timedelta(days=days))


def codes(use="PERMANENT_DOWNLOAD"):
    newest = ClearanceDecision.objects.filter(recording__isnull=False, use=use).latest("pk")
    return set(Verdict.from_data(newest.verdict).codes_in("DE"))


@pytest.mark.parametrize("swapped", [agreement, master_file])
def test_swapped_bytes_take_the_track_off_sale_without_any_decision_being_due(shelf, swapped):
    swap(swapped(), FORGED)
    assert standing(), "nobody has looked yet"
    assert not ReviewDue.objects.exists()

    assert scrub_again().altered == 1
    assert codes() == {"EVIDENCE_ALTERED"}
    assert codes("PREVIEW") == {"EVIDENCE_ALTERED"}
    assert not standing()
    assert Offer.objects.latest("closed_at").closed_reason == "EVIDENCE_ALTERED"


@pytest.mark.parametrize("gone", [agreement, master_file])
def test_bytes_that_are_gone_count_as_altered(shelf, gone):
    gone().unlink()
    scrub_again()
    assert codes() == {"EVIDENCE_ALTERED"}
    assert scrubbing.altered().get().found_sha256 == ""


@pytest.mark.parametrize("swapped", [agreement, master_file])
def test_without_the_scrub_the_track_would_stay_on_sale(shelf, swapped, monkeypatch):
    """The control: the same swap, the same time, nobody looks."""
    monkeypatch.setattr(scrubbing, "claim", lambda *_places, **_how: [])
    swap(swapped(), FORGED)
    scrub_again()
    review()
    assert standing()


@pytest.mark.parametrize("swapped", [agreement, master_file])
def test_restored_bytes_bring_it_back_on_sale(shelf, swapped):
    path = swapped()
    before = path.read_bytes()
    swap(path, FORGED)
    scrub_again()
    review()
    assert not standing()

    swap(path, before)
    assert scrub_again(32).mended == 1
    review()
    assert standing()
    assert not scrubbing.altered().exists()


def test_a_text_changed_in_the_row_is_found_as_well(shelf):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE licensing_instrument DISABLE TRIGGER USER")
        cursor.execute("UPDATE licensing_instrument SET text = 'All works of the world.' WHERE kind = 'DECLARATION'")
    scrub_again()
    assert codes() == {"EVIDENCE_ALTERED"}
    assert scrubbing.altered().get().place == Place.TEXT


def test_a_swapped_agreement_for_a_whole_catalogue_owes_the_catalogue_and_holds_it_back(shelf):
    recording = Track.objects.get().recording
    wide = licensing.make_evidence(EvidenceKind.AGREEMENT, data=AGREEMENT + b"!", media_type="application/pdf", text="")
    grant = grants.record_grant(
        licensing.make_holder(recording.label), catalogue=recording.label, layer=Layer.RECORDING, basis=Basis.DIRECT,
        evidence=[wide], actor="user:bob", at=licensing.NOW,
    )  # fmt: skip
    Reclearance.objects.update(done_at=timezone.now())
    swap(Path(evidence_storage().path(str(wide.file))), FORGED)
    scrub_again()

    owed = Reclearance.objects.get(done_at=None)
    assert (owed.grant, owed.closes) == (grant, True)


def test_each_content_is_looked_at_once_a_round_and_the_longest_waiting_first(shelf):
    at = timezone.now() + timedelta(days=400)
    ByteCheck.objects.update(next_check_at=at)
    last = ByteCheck.objects.order_by("pk").last()
    ByteCheck.objects.filter(pk=last.pk).update(next_check_at=at - timedelta(days=1))

    places = list(Place)
    assert scrubbing.claim(*places, at=at, limit=1) == [last]
    others = scrubbing.claim(*places, at=at, limit=100)
    assert last not in others
    assert len(others) == ByteCheck.objects.count() - 1
    assert scrubbing.claim(*places, at=at, limit=100) == []


def test_what_a_killed_worker_had_claimed_is_due_again(shelf):
    at = timezone.now() + timedelta(days=40)
    swap(agreement(), FORGED)
    assert scrubbing.claim(*Place, at=at, limit=100)
    assert all_bytes.scrub(at=at).looked_at == 0

    all_bytes.scrub(at=at + scrubbing.CLAIM_FOR)
    assert codes() == {"EVIDENCE_ALTERED"}


def test_a_storage_that_does_not_answer_is_no_alteration(shelf, monkeypatch):
    """A network that is down must not empty the shelves; the next decision hashes for itself anyway."""

    def down(*_args):
        raise OSError("no route to host")

    monkeypatch.setattr(type(evidence_storage()), "open", down)
    assert scrubbing.scrub(at=timezone.now() + timedelta(days=31)).altered == 0
    assert standing()


def test_shared_bytes_are_kept_and_looked_at_once(shelf):
    licensing.make_evidence(EvidenceKind.AGREEMENT, data=AGREEMENT, media_type="application/pdf", text="")
    assert ByteCheck.objects.filter(place=Place.EVIDENCE).count() == 1


def test_the_reviewers_are_told_once_an_hour(shelf):
    make_user("Rita", is_reviewer=True, email="rita@example.org")
    swap(agreement(), FORGED)
    scrub_again()
    swap(master_file(), FORGED)
    scrub_again()

    letter = Letter.objects.get(kind="altered")
    assert letter.recipient == "rita@example.org"
    assert "/review/altered/" in letter.body


# -- At the till, before the scrub has come by ---------------------------------------------------------------------


def test_the_till_refuses_swapped_evidence_before_any_scrub(shop, shelf):
    swap(agreement(), FORGED)
    basket = shop.basket_of(shelf, whole=False)
    with pytest.raises(NotOnSale):
        shop.order(shelf, whole=False)
    assert basket.lines.exists()
    review()
    assert codes() == {"EVIDENCE_ALTERED"}
    assert not standing()


def test_the_till_sells_it_where_nobody_hashes_again(shop, shelf, monkeypatch):
    """The control: with the hashes on record instead of the present ones, the swap would be sold."""
    on_record = {row.pk: row.sha256 for row in Instrument.objects.all()}
    monkeypatch.setattr(dossiers, "hashes_of", lambda _recordings: on_record)
    swap(agreement(), FORGED)
    assert shop.order(shelf, whole=False).lines.count() == 1


# -- Where it is seen ----------------------------------------------------------------------------------------------


@pytest.fixture
def desk(db):
    return sign_in(make_user("Rita", is_reviewer=True))


def test_the_desk_names_what_was_altered_and_what_rests_on_it(shelf, desk):
    swap(agreement(), FORGED)
    swap(master_file(), FORGED)
    scrub_again()
    shown = desk.get("/review/altered/").content.decode()

    record = LicenceGrant.objects.get(recording__isnull=False)
    assert f"/review/records/{record.record_id}/" in shown
    assert "Agreement" in shown
    assert "Master" in shown
    assert hashlib.sha256(AGREEMENT).hexdigest() in shown


def test_the_list_asks_as_often_for_many_as_for_one(shelf, desk, django_assert_max_num_queries):
    swap(agreement(), FORGED)
    scrub_again()
    with CaptureQueriesContext(connection) as one:
        desk.get("/review/altered/")
    for number in range(12):
        text = f"Statement {number}"
        licensing.make_grant(Track.objects.get().recording, evidence=[licensing.make_evidence(text=text)])
    ByteCheck.objects.update(altered_at=timezone.now())
    with django_assert_max_num_queries(len(one) + 1):
        desk.get("/review/altered/")


def test_only_reviewers_find_the_list(shelf):
    assert sign_in(make_user("Alice")).get("/review/altered/").status_code == 404


# -- On its way to a buyer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [storage.read_whole, lambda key, length: storage.open_range(key, 0, length)])
def test_a_whole_file_that_was_swapped_never_arrives_whole(shelf, read):
    """The control is the plain reading, which would hand over every altered byte."""
    key = Master.objects.get().storage_key
    assert b"".join(read(key, len(FLAC))) == FLAC
    swap(master_file(), FLAC[::-1])
    if read is not storage.read_whole:
        assert b"".join(read(key, len(FLAC))) == FLAC[::-1]
        return
    with pytest.raises(StorageCorrupt):
        list(read(key, len(FLAC)))
