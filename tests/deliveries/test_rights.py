"""What tags and declarations say becomes records with their evidence; what nobody said becomes none."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from catalog.models import Recording, Work
from licensing import grants
from licensing.models import LicenceGrant
from licensing.territories import TerritorySet
from store.delivered_rights import Declaration
from tests.deliveries.conftest import Deliver
from tests.deliveries.tones import Tones

pytestmark = pytest.mark.django_db
BY = "https://creativecommons.org/licenses/by/4.0/"
PAPER = b"%PDF-1.7 signed by Bob"
OWN = Declaration(own_works=True)


def put(tones: Tones, folder: Path, **tags: Any) -> None:
    told: dict[str, Any] = {"title": "Song", "artist": "Ana", "album": "First", "tracknumber": 1}
    tones.put(folder / "a.flac", **told | tags)


def records() -> set[tuple[str, str, str]]:
    return {(grant.layer, grant.basis, grant.licence_url) for grant in LicenceGrant.objects.all()}


@pytest.mark.parametrize(
    ("tags", "url"),
    [
        ({"license": BY}, BY),
        ({"copyright": "2012 X. Licensed to the public under http://creativecommons.org/licenses/by/3.0/ verify at "
          "http://x.example"}, "https://creativecommons.org/licenses/by/3.0/"),
        ({"license": "CC BY-SA 3.0"}, "https://creativecommons.org/licenses/by-sa/3.0/"),
        ({"license": "http://creativecommons.org/licenses/by-nc/3.0/us/"},
         "https://creativecommons.org/licenses/by-nc/3.0/us/"),
    ],
)  # fmt: skip
def test_a_statement_becomes_a_record_for_the_recording(
    tags: dict[str, str], url: str, folder: Path, tones: Tones, deliver: Deliver
) -> None:
    put(tones, folder, **tags)
    (line,) = deliver()
    assert records() == {("RECORDING", "PUBLIC_LICENCE", url)}
    evidence = LicenceGrant.objects.get().evidence.get()
    assert (evidence.kind, evidence.source_file_sha256) == ("TAG_STATEMENT", line.file_sha256)
    assert all(text in evidence.text for text in (*tags.values(), line.file_sha256))


@pytest.mark.parametrize("tags", [{}, {"copyright": "2012 Ana"}, {"copyright": "2012 Ana. All rights reserved"}])
def test_no_statement_is_no_record(tags: dict[str, str], folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, **tags)
    (line,) = deliver(declaration=OWN)
    assert (line.outcome, line.code) == ("WARNED", "NO_LICENCE")
    assert records() == set()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("http://creativecommons.org/licenses/by/", "LICENCE_VERSION_MISSING"),
        ("royalty free", "LICENCE_UNKNOWN"),
        (["http://creativecommons.org/licenses/by/3.0/", "http://creativecommons.org/licenses/by-nc/3.0/"],
         "LICENCE_UNKNOWN"),
    ],
)  # fmt: skip
def test_a_statement_nobody_can_read_is_recorded_and_named(
    statement: str | list[str], code: str, folder: Path, tones: Tones, deliver: Deliver
) -> None:
    put(tones, folder, license=statement)
    (line,) = deliver()
    assert (line.outcome, line.code) == ("WARNED", code)
    assert records() == {("RECORDING", "PUBLIC_LICENCE", "")}


def test_a_licence_in_a_comment_grants_nothing_and_says_so(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, comment=f"free under {BY}")
    (line,) = deliver()
    assert "A licence only in a comment" in line.message
    assert records() == set()


def test_the_mark_is_recorded_as_public_domain(folder: Path, tones: Tones, deliver: Deliver) -> None:
    mark = "https://creativecommons.org/publicdomain/mark/1.0/"
    put(tones, folder, license=mark)
    deliver()
    assert records() == {("RECORDING", "PD", mark)}


def test_own_works_make_a_record_for_each_work_on_tag_and_word(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY)
    deliver(declaration=OWN)
    assert records() == {("RECORDING", "PUBLIC_LICENCE", BY), ("WORK", "PUBLIC_LICENCE", BY)}
    work = LicenceGrant.objects.get(layer="WORK")
    assert {evidence.kind for evidence in work.evidence.all()} == {"TAG_STATEMENT", "DECLARATION"}
    assert work.cmo_status == "NOT_BOUND"
    assert OWN.text in work.evidence.get(kind="DECLARATION").text


def test_own_works_credit_the_performers_as_writers(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY)
    deliver(declaration=OWN)
    assert [credit.name for credit in Work.objects.get().credits.all()] == ["Ana"]


def test_without_the_word_nobody_is_taken_for_the_writer(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY)
    deliver()
    assert not Work.objects.get().credits.exists()


def test_a_writer_who_is_not_the_performer_is_pointed_out(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY, composer="Paul")
    (line,) = deliver(declaration=OWN)
    assert (line.outcome, line.code) == ("WARNED", "WRITER_NAMED")
    assert "Writers: Paul" in LicenceGrant.objects.get(layer="WORK").evidence.get(kind="TAG_STATEMENT").text


def test_the_word_given_later_adds_the_record_for_the_work(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY)
    deliver()
    (line,) = deliver(declaration=OWN)
    assert (line.outcome, LicenceGrant.objects.count()) == ("ALREADY_HERE", 2)
    assert "1 licence record" in line.message


def test_a_direct_grant_rests_on_the_agreement(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder)
    declaration = Declaration(own_works=True, direct_grant=True, agreement=PAPER, territories=TerritorySet.only("DE"))
    (line,) = deliver(declaration=declaration)
    assert line.outcome == "DELIVERED"
    assert records() == {("RECORDING", "DIRECT", ""), ("WORK", "DIRECT", "")}
    grant = LicenceGrant.objects.get(layer="RECORDING")
    assert (grant.licensee, grant.territories) == ("STORE", ["DE"])
    with grant.evidence.get().file.open() as file:
        assert file.read() == PAPER


def test_a_direct_grant_without_own_works_leaves_the_works_out(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder)
    deliver(declaration=Declaration(direct_grant=True, agreement=PAPER))
    assert records() == {("RECORDING", "DIRECT", "")}


def test_an_ended_record_is_not_revived_by_delivering_again(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY)
    deliver()
    grants.end_grant(LicenceGrant.objects.get(), reason="withdrawn", actor="user:7")
    deliver()
    assert LicenceGrant.objects.count() == 1


def test_the_command_makes_the_label_and_prints_the_lines(
    folder: Path, tones: Tones, capsys: pytest.CaptureFixture[str], db: None
) -> None:
    import json

    put(tones, folder, license=BY)
    call_command("deliver", folder, label="New Label", price="EUR:1.00", own_works=True, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["label"] == "New Label"
    assert told["lines"][0]["release"] == "First"
    assert Recording.objects.get().label.kind == "ORGANISATION"
    assert LicenceGrant.objects.count() == 2


def test_tags_that_name_two_licences_settle_on_neither(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, license=BY, copyright="2020 Ana. https://creativecommons.org/licenses/by-nc/4.0/")
    deliver()
    record = LicenceGrant.objects.get()
    assert (record.licence_url, BY in record.licence_statement, "by-nc" in record.licence_statement) == ("", True, True)
