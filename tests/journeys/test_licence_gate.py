"""Nothing is published without a valid licence, by whatever route: the application does not try, the database refuses.

Single decisions that do not fit are in tests/store/test_promises_of_sale.py; here it is the routes that are counted.
"""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Track
from licensing.models import ClearanceDecision, GrantEnd, LicenceGrant, Review
from payments.money import Money
from store import access, clearing, deliveries, offers, record_imports
from store.delivered_rights import Declaration
from store.errors import NotOnSale
from store.models import Offer, OrderLine
from tests.deliveries.tones import Tones
from tests.factories import catalog, licensing, transcoding
from tests.factories.store import licences, line_fields, make_decision, make_order, make_recording, make_user
from tests.store import papers
from tests.store.conftest import make_ready
from transcoding import masters
from transcoding.models import Master

pytestmark = pytest.mark.django_db
BY = "https://creativecommons.org/licenses/by/4.0/"


@pytest.fixture
def unlicensed(db):
    """A track with all that a sale needs except the licence: sound, files, a price, and a record nobody approved."""
    label = catalog.make_label("Bob's Records", slug="bobs")
    recording = catalog.make_recording("Piece", label=label, isrc="DEA122400001")
    track = catalog.make_track(catalog.make_release("First Light", label=label), recording, number=1)
    master = transcoding.make_master(recording)
    for code in ("FLAC", "MP3_V0", "MP3_320", "OGG_Q6"):
        transcoding.make_rendition(master, code)
    licensing.make_grant(recording, submitted_for=label)
    clearing.decide([recording.pk], at=timezone.now(), actor="test")
    return track


def refusal_of(track):
    return ClearanceDecision.objects.filter(recording=track.recording, use="PERMANENT_DOWNLOAD").latest("pk")


def draft(track):
    return Offer(track=track, decision=refusal_of(track), currency="EUR", amount_minor=100, opened_at=timezone.now())


def by_sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


COLUMNS = "public_id, track_id, decision_id, use, currency, amount_minor, opened_at, closed_reason"
VALUES = "gen_random_uuid(), %s, %s, 'PERMANENT_DOWNLOAD', 'EUR', 100, now(), ''"
INSERT = f"INSERT INTO store_offer ({COLUMNS})"
MERGE = "MERGE INTO store_offer USING (SELECT 1) AS one ON false WHEN NOT MATCHED THEN INSERT"


def copy(track):
    offer = draft(track)
    row = (offer.public_id, track.pk, offer.decision_id, offer.use, offer.currency, 100, offer.opened_at, "")
    statement = f"COPY store_offer ({COLUMNS}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as rows:
        rows.write_row(row)


def plain(track):
    return {"track": track, "decision": refusal_of(track), "amount_minor": 100}


def about(track):
    return track.pk, refusal_of(track).pk


NEW = {
    "save": lambda track: draft(track).save(),
    "forced insert": lambda track: draft(track).save(force_insert=True),
    "save_base": lambda track: draft(track).save_base(raw=True),
    "create": lambda track: Offer.objects.create(**plain(track), currency="EUR"),
    "get_or_create": lambda track: Offer.objects.get_or_create(currency="EUR", defaults=plain(track)),
    "update_or_create": lambda track: Offer.objects.update_or_create(currency="EUR", defaults=plain(track)),
    "bulk_create": lambda track: Offer.objects.bulk_create([draft(track)]),
    "bulk_create in batches": lambda track: Offer.objects.bulk_create([draft(track)], batch_size=1),
    "bulk_create without conflicts": lambda track: Offer.objects.bulk_create([draft(track)], ignore_conflicts=True),
    "INSERT": lambda track: by_sql(f"{INSERT} VALUES ({VALUES})", *about(track)),
    "INSERT … SELECT": lambda track: by_sql(f"{INSERT} SELECT {VALUES}", *about(track)),
    "INSERT … ON CONFLICT": lambda track: by_sql(f"{INSERT} VALUES ({VALUES}) ON CONFLICT DO NOTHING", *about(track)),
    "MERGE": lambda track: by_sql(f"{MERGE} ({COLUMNS}) VALUES ({VALUES})", *about(track)),
    "COPY": copy,
}  # fmt: skip


@pytest.fixture
def guard_off():
    """The control: as the owner, who alone can."""
    by_sql("ALTER TABLE store_offer DISABLE TRIGGER store_offer_cleared, DISABLE TRIGGER store_offer_licensed")


def as_the_application():
    by_sql("SET LOCAL ROLE clearsong_app")


@pytest.mark.parametrize("route", NEW)
def test_no_route_makes_an_offer_of_what_is_not_licensed(unlicensed, route):
    as_the_application()
    with pytest.raises(IntegrityError, match="clears no country"), transaction.atomic():
        NEW[route](unlicensed)
    assert not Offer.objects.exists()


@pytest.mark.parametrize("route", NEW)
@pytest.mark.usefixtures("guard_off")
def test_each_of_these_routes_is_stopped_by_the_trigger_alone(unlicensed, route):
    as_the_application()
    NEW[route](unlicensed)
    assert Offer.objects.filter(closed_at=None).count() == 1


# -- An offer that stands is no door for another recording, and no closed one opens again ----------------------------


@pytest.fixture
def standing(db):
    """An offer that stands, and a yes about a recording of somebody else's."""
    track = catalog.make_track(catalog.make_release("Second Sight"), make_recording(), number=1)
    return Offer.objects.create(**plain_yes(track), currency="EUR"), make_decision(make_recording())


def plain_yes(track):
    return {"track": track, "decision": make_decision(track.recording), "amount_minor": 100}


def saved(offer, decision):
    offer.decision = decision
    offer.save()


def saved_in_bulk(offer, decision):
    offer.decision = decision
    Offer.objects.bulk_update([offer], ["decision"])


def upserted(offer, decision):
    offer.decision = decision
    Offer.objects.bulk_create([offer], update_conflicts=True, update_fields=["decision"], unique_fields=["id"])


MOVED = {
    "save": saved,
    "bulk_update": saved_in_bulk,
    "update": lambda offer, decision: Offer.objects.filter(pk=offer.pk).update(decision=decision),
    "update by expression": lambda offer, decision: Offer.objects.update(
        decision_id=F("decision_id") + decision.pk - offer.decision_id
    ),
    "upsert": upserted,
    "UPDATE": lambda offer, decision: by_sql(
        "UPDATE store_offer SET decision_id = %s WHERE id = %s", decision.pk, offer.pk
    ),
    "UPDATE … FROM": lambda _offer, decision: by_sql(
        "UPDATE store_offer SET decision_id = other.id FROM licensing_clearancedecision other WHERE other.id = %s",
        decision.pk,
    ),
}


@pytest.mark.parametrize("route", MOVED)
def test_no_route_moves_an_offer_to_a_licence_for_something_else(standing, route):
    as_the_application()
    with pytest.raises(IntegrityError, match="something else"), transaction.atomic():
        MOVED[route](*standing)


@pytest.mark.parametrize("route", MOVED)
@pytest.mark.usefixtures("guard_off")
def test_each_of_these_moves_is_stopped_by_the_trigger_alone(standing, route):
    as_the_application()
    MOVED[route](*standing)
    assert Offer.objects.get().decision == standing[1]


def test_a_standing_offer_is_not_turned_to_another_track(standing, unlicensed):
    as_the_application()
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Offer.objects.update(track=unlicensed)


def test_an_offer_closed_with_its_licence_is_not_opened_again(standing):
    offer, _other = standing
    make_decision(offer.track.recording, countries=())
    offer.refresh_from_db()
    assert offer.closed_at, "it closes with the decision, in the same statement"
    as_the_application()
    with pytest.raises(IntegrityError, match="stays closed"), transaction.atomic():
        Offer.objects.update(closed_at=None, closed_reason="")


# -- The lines of an order ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", ["save", "bulk_create"])
def test_no_line_of_an_order_is_made_without_a_licence_for_it(standing, write):
    offer, _other = standing
    order = make_order(offer)
    fields = line_fields(order, offer, position=2, decision=make_decision(offer.track.recording, countries=["US"]))
    as_the_application()
    with pytest.raises(IntegrityError, match="does not clear DE"), transaction.atomic():
        OrderLine(**fields).save() if write == "save" else OrderLine.objects.bulk_create([OrderLine(**fields)])


# -- The application's role cannot take the guard away --------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE store_offer DISABLE TRIGGER store_offer_cleared",
        "ALTER TABLE store_offer DISABLE TRIGGER ALL",
        "DROP TRIGGER store_offer_cleared ON store_offer",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION store_offer_cleared() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "UPDATE licensing_clearancedecision SET cleared_countries = 'DE'",
        "DELETE FROM licensing_clearancedecision",
        "UPDATE licensing_review SET outcome = 'APPROVED'",
    ],
)
def test_the_application_cannot_take_the_guard_away(unlicensed, statement):
    as_the_application()
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
        by_sql(statement)


# -- The application's own routes --------------------------------------------------------------------------------------


def review():
    while offers.review_due(at=timezone.now()).recordings:
        pass


def price_in_the_studio(track, _tmp_path):
    label = track.recording.label
    bob = make_user("Bob")
    access.join(bob, label, role="OWNER")
    client = Client()
    client.force_login(bob)
    where = reverse("studio-recording-price", args=[label.slug, track.recording.public_id])
    assert client.post(where, {"amount": "1.00"}).status_code == 302


def add_in_the_admin(track, _tmp_path):
    client = Client()
    client.force_login(make_user("Ada", is_staff=True, is_superuser=True))
    sent = {"track": track.pk, "decision": refusal_of(track).pk, "use": "PERMANENT_DOWNLOAD", "currency": "EUR"}
    where = reverse("admin:store_offer_add")
    assert client.post(where, {**sent, "amount_minor": 100, "opened_at_0": "2026-01-01"}).status_code == 403


def deliver(track, tmp_path):
    folder = tmp_path / "Folder"
    told: dict[str, Any] = {"title": "Song", "artist": "Ana", "album": "First", "tracknumber": 1, "license": BY}
    Tones(tmp_path).put(folder / "a.flac", **told)
    label = track.recording.label
    deliveries.deliver(
        folder, label=label, actor="user:bob", declaration=Declaration(own_works=True), price=Money.of(100, "EUR")
    )
    for master in Master.objects.filter(state=Master.State.EXAMINING):
        assert masters.examine(master.pk)


def import_a_table(track, _tmp_path):
    offers.set_price(track.recording, currency="EUR", amount_minor=100, actor="user:bob")
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["about", "basis", "evidence"])
    rows.writerow([track.recording.isrc, "DIRECT", "agreement.pdf"])
    staged = record_imports.stage(
        track.recording.label, file_name="records.csv", data=out.getvalue().encode(),
        papers=[SimpleUploadedFile("agreement.pdf", papers.plain())], actor="user:bob",
    )  # fmt: skip
    record_imports.show(staged)
    assert record_imports.apply(staged, actor="user:bob") == 1


OWN = {"studio": price_in_the_studio, "admin": add_in_the_admin, "delivery": deliver, "CSV": import_a_table}


@pytest.fixture
def own_storages(settings, tmp_path):
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "evidence"}}
    settings.STORAGES = {**settings.STORAGES, "evidence": plain}
    settings.AUDIO_ROOT, settings.AUDIO_BUCKET = tmp_path / "audio", ""


@pytest.mark.parametrize("route", OWN)
@pytest.mark.usefixtures("own_storages")
def test_what_the_application_does_by_itself_offers_nothing_that_is_not_licensed(unlicensed, tmp_path, route):
    OWN[route](unlicensed, tmp_path)
    review()
    make_ready()
    review()
    assert not Offer.objects.exists()


@pytest.fixture
def careless(monkeypatch):
    """The review of offers, with its own judgement cut out."""
    monkeypatch.setattr(offers, "_stops", lambda *_subject, **_how: "")
    monkeypatch.setattr(offers, "_files", lambda *_subject, **_how: "")


WITH_A_PRICE = sorted(OWN.keys() - {"admin"})


@pytest.mark.parametrize("route", WITH_A_PRICE)
@pytest.mark.usefixtures("own_storages", "careless")
def test_a_careless_application_is_refused_by_the_database(unlicensed, tmp_path, route):
    OWN[route](unlicensed, tmp_path)
    with pytest.raises(IntegrityError, match="clears no country"):
        review()


@pytest.mark.parametrize("route", WITH_A_PRICE)
@pytest.mark.usefixtures("own_storages", "careless", "guard_off")
def test_with_neither_it_would_be_on_sale(unlicensed, tmp_path, route):
    """The control for both: each of these routes does reach the shelf where nobody minds."""
    OWN[route](unlicensed, tmp_path)
    review()
    assert Offer.objects.filter(closed_at=None).exists()


# -- A yes that nobody gave --------------------------------------------------------------------------------------------


def revoke(grant):
    GrantEnd.objects.create(grant=grant, kind="REVOKED", reason="Over.", actor="user:bob", at=timezone.now())


def suspend(grant):
    GrantEnd.objects.create(grant=grant, kind="SUSPENDED", reason="Wait.", actor="user:bob", at=timezone.now())


def replace(grant):
    fields = {field.attname: getattr(grant, field.attname) for field in grant._meta.concrete_fields}
    del fields["id"]
    LicenceGrant.objects.create(**{**fields, "version": 2, "supersedes_id": grant.pk})


def refuse(grant):
    Review.objects.create(
        grant=grant, outcome="REFUSED", reason="No.", reviewer="user:rita", evidence_sha256="0" * 64, at=timezone.now()
    )


FORGED = {
    "no record": lambda _track: [],
    "an unreviewed record": lambda track: list(LicenceGrant.objects.filter(recording=track.recording)),
    "another recording's": lambda _track: licences(make_recording()),
    "one layer": lambda track: [one for one in licences(track.recording) if one.layer == "RECORDING"],
    "a version that is not there": lambda track: changed(licences(track.recording), "version", 2),
    "the other layer's": lambda track: changed(licences(track.recording), "layer", "RECORDING"),
    "a refused record": lambda track: after(licences(track.recording), refuse),
    "a revoked record": lambda track: after(licences(track.recording), revoke),
    "a suspended record": lambda track: after(licences(track.recording), suspend),
    "a replaced record": lambda track: after(licences(track.recording), replace),
}


def changed(records, field, value):
    for one in records:
        setattr(one, field, value)
    return records


def after(records, act):
    act(records[0])
    return records


def forge(track, how):
    """Whoever can write rows can write a decision, too, and name in it what she likes."""
    return make_decision(track.recording, records=FORGED[how](track))


def offer_on(decision, track):
    with transaction.atomic():
        return Offer.objects.create(track=track, decision=decision, currency="EUR", amount_minor=100)


@pytest.mark.parametrize("how", FORGED)
def test_nothing_is_offered_on_a_yes_that_names_no_licence_which_stands(unlicensed, how):
    decision = forge(unlicensed, how)
    with pytest.raises(IntegrityError, match=r"does not stand|names no licence"):
        offer_on(decision, unlicensed)


@pytest.mark.parametrize("how", FORGED)
def test_the_look_at_the_records_is_what_refuses_it(unlicensed, how):
    decision = forge(unlicensed, how)
    by_sql("SET CONSTRAINTS ALL IMMEDIATE")
    by_sql("ALTER TABLE store_offer DISABLE TRIGGER store_offer_licensed")
    assert offer_on(decision, unlicensed).pk


def test_a_suspended_record_that_was_resumed_stands(unlicensed):
    records = after(licences(unlicensed.recording), suspend)
    end = {"reason": "Settled.", "actor": "user:bob", "at": timezone.now()}
    GrantEnd.objects.create(grant=records[0], kind="RESUMED", **end)
    assert offer_on(make_decision(unlicensed.recording, records=records), unlicensed).pk


def test_no_line_is_sold_on_a_yes_that_names_no_licence(standing):
    offer, _other = standing
    order = make_order()
    revoke(licences(offer.track.recording)[0])
    with pytest.raises(IntegrityError, match="does not stand"), transaction.atomic():
        OrderLine.objects.create(**line_fields(order, offer, position=2))


@pytest.fixture
def forged(unlicensed):
    """A yes that nobody gave, on the shelf all the same: the database's own look at it is off."""
    by_sql("SET CONSTRAINTS ALL IMMEDIATE")
    by_sql("ALTER TABLE store_offer DISABLE TRIGGER store_offer_licensed")
    by_sql("ALTER TABLE store_orderline DISABLE TRIGGER store_orderline_licensed")
    decision = make_decision(unlicensed.recording, records=[], sound_sha256=Master.objects.get().sound_sha256)
    offers.set_price(unlicensed.recording, currency="EUR", amount_minor=100, actor="user:mallory")
    offer_on(decision, unlicensed)
    return unlicensed.release


def test_a_forged_decision_sells_nothing(shop, forged):
    with pytest.raises(NotOnSale):
        shop.order(forged, whole=False)


def test_a_track_that_is_turned_to_another_recording_is_not_sold_on_the_first_ones_licence(shop, standing, unlicensed):
    offer, _other = standing
    by_sql("SET CONSTRAINTS ALL IMMEDIATE")
    by_sql("ALTER TABLE catalog_track DISABLE TRIGGER store_track_moved")  # which would have closed the offer
    Track.objects.filter(pk=offer.track_id).update(recording=unlicensed.recording)
    with pytest.raises(NotOnSale):
        shop.order(offer.track.release, whole=False)


def test_a_forged_decision_falls_with_the_next_look(forged):
    review()
    assert not Offer.objects.filter(closed_at=None).exists()
