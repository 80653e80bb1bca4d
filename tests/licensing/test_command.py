"""`manage.py clearance`, and the page of reasons that is made from the code."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from licensing import reasons, rules
from tests.factories.catalog import make_recording, make_release, make_track
from tests.factories.licensing import make_cleared

ROOT = Path(__file__).parents[2]


def run(*args):
    out = StringIO()
    call_command("clearance", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["isrc", "printed", "public_id", "place"])
def test_a_recording_is_found_by(name):
    recording = make_recording("Elan", isrc="DEA122400001")
    track = make_track(make_release(), recording, number=3)
    text = {
        "isrc": "DEA122400001",
        "printed": "DE-A12-24-00001",
        "public_id": str(recording.public_id),
        "place": f"{track.release.slug}:3",
    }[name]
    assert run(text, "--territory", "DE").startswith("Elan (DEA122400001), PERMANENT_DOWNLOAD\n")


@pytest.mark.django_db
def test_the_json_answer_names_every_reason():
    recording = make_recording()
    answer = json.loads(run(str(recording.public_id), "--territory", "de", "--json"))
    assert answer["cleared"] is False
    assert [reason["code"] for reason in answer["reasons"]] == ["NO_MASTER_LICENCE", "NO_WORK_LICENCE"]
    assert set(answer["reasons"][0]) == {"code", "scope", "layer", "record", "share_holder", "detail", "who_can_fix"}


@pytest.mark.django_db
def test_an_unknown_country_is_refused_and_not_an_error():
    answer = json.loads(run(str(make_recording().public_id), "--territory", "EU", "--json"))
    assert [reason["code"] for reason in answer["reasons"]] == ["TERRITORY_UNKNOWN"]


@pytest.mark.django_db
def test_without_a_master_an_approved_recording_is_not_cleared():
    # The factories approve a sound; no master is there to have it.
    assert "no accepted sound" in run(str(make_cleared().public_id), "--world")


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["276", "DDDE", "de"])
def test_the_trades_other_codes_name_countries_too(code):
    answer = json.loads(run(str(make_recording().public_id), "--territory", code, "--json"))
    assert answer["territory"] == "DE"


@pytest.mark.django_db
def test_a_code_of_several_countries_asks_which():
    with pytest.raises(CommandError, match="ME, RS"):
        run(str(make_recording().public_id), "--territory", "CS")


@pytest.mark.django_db
def test_the_price_may_be_part_of_the_question():
    recording = str(make_recording().public_id)
    answer = json.loads(run(recording, "--world", "--price", "EUR=129", "--json"))
    assert answer["question"]["prices"] == [["EUR", 129]]
    with pytest.raises(CommandError, match="EUR=129"):
        run(recording, "--world", "--price", "1.29")


@pytest.mark.django_db
@pytest.mark.parametrize("when", ["2026-03-06", "2026-03-06T00:30:00+13:00"])
def test_the_instant_may_be_a_day_of_the_country_or_exact(when):
    answer = json.loads(run(str(make_recording().public_id), "--territory", "NZ", "--at", when, "--json"))
    assert answer["at"].startswith("2026-03-05T1")


@pytest.mark.django_db
@pytest.mark.parametrize("args", [("nothing", "--territory", "DE"), ("x",), ("x", "--world", "--at", "soon")])
def test_what_is_not_understood_is_refused_with_a_hint(args):
    with pytest.raises(CommandError):
        run(*args)


def test_the_page_of_reasons_is_what_the_code_says():
    assert (ROOT / "docs" / "clearance.md").read_text(encoding="utf-8") == reasons.page() == run("--reasons")


def test_every_code_the_engine_gives_has_its_words():
    source = "".join(
        (ROOT / "licensing" / f"{name}.py").read_text() for name in ("rules", "layers", "judgements", "verdicts")
    )
    given = set(re.findall(r'"([A-Z]+(?:_[A-Z0-9]+)+|DISPUTED|REVOKED|SUSPENDED|EMBARGOED)"', source))
    known = set(reasons.REASONS)
    assert known - given - {"LICENCE_UNKNOWN", "LICENCE_VERSION_MISSING"} == set()
    assert rules.ENGINE
    assert all(reasons.sentence(code) for code in known)
