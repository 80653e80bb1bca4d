"""Rates of tariffs: kept with their source, of no use until verified, and never changed."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from importlib.resources import files
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from licensing import clearance, rates
from licensing.errors import RateRefused
from licensing.models import Rate, RateVerification
from licensing.terms import Basis, Layer, Use
from tests.factories.catalog import make_recording
from tests.factories.licensing import NOW, SOUND, make_approved, make_holder
from tests.licensing.conftest import agreement

pytestmark = pytest.mark.django_db

FIELDS = {
    "tariff": "TEST",
    "territory": "US",
    "use": "PERMANENT_DOWNLOAD",
    "valid_from": date(2026, 1, 1),
    "valid_to": date(2026, 12, 31),
    "method": "GREATER_OF",
    "flat_micros": 131_000,
    "per_minute_micros": 25_200,
    "per_minute_over_seconds": 300,
    "currency": "USD",
    "source": "37 CFR 385.11",
}


def record(**over):
    return rates.record_rate(actor="user:bob", at=NOW, **{**FIELDS, **over})


@pytest.fixture
def paid_by_tariff(own_evidence):
    """A recording whose work is under a statutory licence that is paid by TEST."""
    recording = make_recording()
    holder = make_holder(recording.label)
    direct: dict[str, Any] = {"basis": Basis.DIRECT, "licence_url": "", "holder": holder}
    make_approved(recording, **direct, evidence=[agreement()])
    make_approved(
        recording.works.get(),
        **{**direct, "basis": Basis.STATUTORY},
        evidence=[agreement("Notice of intention.")],
        layer=Layer.WORK,
        statutory_condition_met=True,
        tariff="TEST",
    )
    return recording


def decide(recording, at=NOW):
    return clearance.clear(recording, use=Use.PERMANENT_DOWNLOAD, at=at, actor="task:test", sound_sha256=SOUND)


def codes(decision):
    refused = [group for group in decision.verdict["refused"] if "US" in str(group["countries"])]
    return {reason["code"] for group in refused for reason in group["reasons"]}


def test_a_sale_waits_until_somebody_has_verified_the_rate(paid_by_tariff):
    assert decide(paid_by_tariff).cleared_countries == []
    rate = record()
    assert clearance.latest(paid_by_tariff, Use.PERMANENT_DOWNLOAD).cleared_countries == []
    rates.verify_rate(rate, actor="user:rita", at=NOW)
    assert clearance.latest(paid_by_tariff, Use.PERMANENT_DOWNLOAD).cleared_countries == ["US"]


def test_a_new_rate_ends_the_sale_with_the_act_itself(paid_by_tariff):
    rates.verify_rate(record(valid_to=None), actor="user:rita", at=NOW)
    assert decide(paid_by_tariff).cleared_countries == ["US"]
    record(valid_from=date(2026, 3, 1))
    assert clearance.latest(paid_by_tariff, Use.PERMANENT_DOWNLOAD).cleared_countries == []


def test_a_rate_of_next_year_shortens_the_answer_and_its_verification_lengthens_it(paid_by_tariff):
    rates.verify_rate(record(valid_to=None), actor="user:rita", at=NOW)
    assert decide(paid_by_tariff).good_until is None
    later = record(valid_from=date(2027, 1, 1), valid_to=None)
    ends = datetime(2027, 1, 1, 5, tzinfo=UTC)
    verdict = clearance.latest(paid_by_tariff, Use.PERMANENT_DOWNLOAD)
    assert verdict.good_until == ends
    rates.verify_rate(later, actor="user:rita", at=NOW)
    assert clearance.latest(paid_by_tariff, Use.PERMANENT_DOWNLOAD).verdict["cleared"][0]["until"] is None


def test_a_rate_is_never_changed_but_followed_by_another():
    record()
    with pytest.raises(RateRefused, match="first day"):
        record(flat_micros=140_000)
    assert record(valid_from=date(2027, 1, 1), valid_to=None, flat_micros=140_000)


@pytest.mark.parametrize("statement", ["UPDATE licensing_rate SET flat_micros = 1", "DELETE FROM licensing_rate"])
def test_the_database_keeps_rates_as_they_were(statement):
    record()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_without_the_trigger_they_could_be_changed():
    record()
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER licensing_rate_append_only ON licensing_rate")
        cursor.execute("UPDATE licensing_rate SET flat_micros = 1")
        assert cursor.rowcount


@pytest.mark.parametrize(
    "over",
    [
        {"territory": "EU"},
        {"use": "SYNC"},
        {"method": "GUESS"},
        {"base": "GROSS"},
        {"valid_to": date(2025, 1, 1)},
        {"tracks_from": 5, "tracks_to": 2},
        {"source": " "},
    ],
)
def test_a_rate_that_cannot_be_is_refused(over):
    with pytest.raises(RateRefused):
        record(**over)


def test_who_recorded_a_rate_does_not_verify_it():
    with pytest.raises(RateRefused, match="Somebody else"):
        rates.verify_rate(record(), actor="user:bob", at=NOW)


def test_a_rate_is_not_verified_ahead_of_time_or_by_nobody():
    with pytest.raises(RateRefused, match="ahead"):
        rates.verify_rate(record(), actor="user:rita", on=NOW.date() + timedelta(days=1), at=NOW)
    with pytest.raises(RateRefused, match="who"):
        rates.verify_rate(Rate.objects.get(tariff="TEST"), actor="", at=NOW)


def test_what_lacks_an_amount_cannot_be_verified():
    with pytest.raises(RateRefused, match="per_minute_micros"):
        rates.verify_rate(record(per_minute_micros=None), actor="user:rita", at=NOW)


def test_the_rates_that_come_with_the_store_have_a_source_and_are_unverified():
    here = Rate.objects.exclude(tariff="TEST")
    assert {rate.tariff for rate in here} == {"US-115", "MCPS-ONLINE", "GEMA-VR-OD", "CSI"}
    assert all(rate.source for rate in here)
    assert not RateVerification.objects.exists()
    assert rates.unverified().count() == here.count()


def test_the_list_is_imported_once_and_reads_as_the_migration_read_it():
    known = rates.known_rates()
    assert rates.import_rates(known, actor="user:bob") == rates.Imported(new=0, known=len(known))
    us = [row for row in known if row["tariff"] == "US-115" and row["valid_from"].year == 2024]
    assert [(row["flat_micros"], row["per_minute_micros"]) for row in us] == [(124_000, 23_900)]
    gb = next(row for row in known if row["tariff"] == "MCPS-ONLINE")
    assert Fraction(gb["percent_numerator"], gb["percent_denominator"]) == Fraction(8, 100)


def test_an_import_that_contradicts_what_is_here_changes_nothing():
    new = {**rates.known_rates()[0], "tariff": "NEW"}
    other = {**rates.known_rates()[0], "flat_micros": 1}
    with pytest.raises(RateRefused, match="flat_micros"):
        rates.import_rates([new, other], actor="user:bob")
    assert not Rate.objects.filter(tariff="NEW").exists()


@pytest.mark.parametrize("column", ["valid_from", "flat", "tracks_from"])
def test_a_line_that_cannot_be_read_is_named(column):
    with (files("licensing") / "data" / "rates.csv").open(encoding="utf-8") as file:
        row = dict.fromkeys(file.readline().strip().split(","), "")
    row |= {"valid_from": "2026-01-01", column: "soon"}
    with pytest.raises(RateRefused, match="Line 2"):
        list(rates.read_rates(f"{','.join(row)}\n{','.join(row.values())}\n"))


def run(*args):
    out = StringIO()
    call_command("rates", *args, stdout=out)
    return out.getvalue()


def test_the_command_lists_imports_and_verifies():
    rate = record()
    assert f"{rate.pk} " in run("list", "--tariff", "TEST")
    assert "not verified" in run("list", "--tariff", "TEST")
    assert "0 new" in run("import", "--by", "user:bob")
    run("verify", str(rate.pk), "--by", "user:rita", "--note", "Read at ecfr.gov.")
    assert "user:rita" in run("list", "--tariff", "TEST")
    with pytest.raises(CommandError, match="You recorded"):
        run("verify", str(record(valid_from=date(2027, 1, 1), valid_to=None).pk), "--by", "user:bob")
    with pytest.raises(CommandError, match="no rate"):
        run("verify", "0", "--by", "user:rita")
