"""A table of records is shown as what it would change, refused by line and column, and applied whole or not at all."""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Recording
from licensing import grants
from licensing.errors import GrantRefused
from licensing.models import LicenceGrant
from store import record_imports
from store.errors import ImportRefused
from store.models import RecordImport, User
from store.record_imports import Plan
from tests.factories import catalog, licensing
from tests.store import papers

PAPER = papers.plain()


@pytest.fixture
def recordings(label: Party) -> list[Recording]:
    return [catalog.make_recording(f"Piece {n}", label=label, isrc=f"DEA1224{n:05}") for n in range(1, 4)]


def table(*rows: dict[str, str], columns: tuple[str, ...] = ()) -> bytes:
    out = io.StringIO()
    names = columns or tuple(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def row(number: int, **over: str) -> dict[str, str]:
    return {"about": f"DE-A12-24-{number:05}", "basis": "DIRECT", "evidence": "agreement.pdf", **over}


def file(data: bytes = PAPER, name: str = "agreement.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def stage(label: Party, data: bytes, *files: SimpleUploadedFile) -> tuple[RecordImport, Plan]:
    staged = record_imports.stage(
        label, file_name="records.csv", data=data, papers=files or (file(),), actor="user:bob"
    )
    return staged, record_imports.show(staged)


def faults(plan: Plan) -> list[tuple[int, str, str]]:
    return [(line.number, fault.column, fault.message) for line in plan.lines for fault in line.faults]


def outcomes(plan: Plan) -> list[str]:
    return [line.outcome for line in plan.lines]


# What is shown


def test_nothing_counts_before_it_is_applied(label: Party, recordings: list[Recording]) -> None:
    _, plan = stage(label, table(row(1), row(2)))
    assert outcomes(plan) == ["new", "new"]
    assert not LicenceGrant.objects.exists()


def test_what_is_applied_says_what_the_table_said(label: Party, recordings: list[Recording]) -> None:
    line = row(
        1, agreement="A-17", countries="world except US, CA", until="2030-12-31", share="50 %", exclusive="yes",
        price_minimum="0.99", price_currency="EUR", uses="PERMANENT_DOWNLOAD PREVIEW", redownload="NEVER",
    )  # fmt: skip
    staged, _ = stage(label, table(line))
    assert record_imports.apply(staged, actor="user:bob") == 1
    grant = LicenceGrant.objects.get()
    assert (grant.recording, grant.submitted_for, grant.agreement) == (recordings[0], label, "A-17")
    assert (grant.territory_mode, grant.territories) == ("WORLD_EXCEPT", ["CA", "US"])
    assert (grant.share_numerator, grant.share_denominator, grant.exclusive) == (1, 2, True)
    assert (grant.price_minimum_minor, grant.price_currency, grant.redownload_rule) == (99, "EUR", "NEVER")
    assert (grant.uses, str(grant.ends_on)) == (["PERMANENT_DOWNLOAD", "PREVIEW"], "2030-12-31")
    assert grant.evidence.get().name == "agreement.pdf"


def test_one_agreement_for_many_lines_is_kept_once(label: Party, recordings: list[Recording]) -> None:
    staged, _ = stage(label, table(row(1), row(2), row(3)))
    record_imports.apply(staged, actor="user:bob")
    assert len({grant.evidence.get() for grant in LicenceGrant.objects.all()}) == 1


def test_a_catalogue_and_a_work_are_lines_too(label: Party, recordings: list[Recording]) -> None:
    work = recordings[0].works.get()
    lines = (row(1, about="all recordings"), row(1, about=str(work.public_id)), row(1, about="all works"))
    _, plan = stage(label, table(*lines))
    assert [line.title for line in plan.lines] == [
        "All recordings of Bob's Records", "Piece 1", "All works of Bob's Records",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("over", "column", "words"),
    [
        ({"about": "DE-A12-24-99999"}, "about", "is no recording or work of yours"),
        ({"about": ""}, "about", "Say what the record is about"),
        ({"record": "17"}, "record", "There is no record “17” of yours"),
        ({"basis": "HEARSAY"}, "basis", "HEARSAY"),
        ({"basis": "PUBLIC_LICENCE"}, "licence", "Give the licence's address"),
        ({"countries": "DE, EUROPA"}, "countries", "Not a country's code: EUROPA"),
        ({"until": "31.12.2030"}, "until", "date"),
        ({"share": "half"}, "share", "Write a percentage (33.5 %) or a fraction (1/3)"),
        ({"exclusive": "perhaps"}, "exclusive", "neither yes nor no"),
        ({"evidence": "contract.pdf"}, "evidence", "No file “contract.pdf” came with the table"),
        ({"evidence": ""}, "evidence", "This needs evidence"),
        ({"evidence_kind": "GOSSIP"}, "evidence_kind", "is no kind of evidence"),
        ({"uses": "RINGTONE"}, "uses", "RINGTONE"),
    ],
)
def test_a_cell_that_cannot_be_is_named_by_line_and_column(
    label: Party, recordings: list[Recording], over: dict[str, str], column: str, words: str
) -> None:
    staged, plan = stage(label, table(row(2), row(1, **over)))
    assert [(number, name) for number, name, _ in faults(plan)] == [(3, column)]
    assert words in faults(plan)[0][2]
    with pytest.raises(ImportRefused, match="Not every line"):
        record_imports.apply(staged, actor="user:bob")
    assert not LicenceGrant.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The column “about” is missing"),
        (b"about,basis\n", "no line below its first"),
        (b"about,basis,colour\nx,y,z\n", "There is no column “colour”"),
        (b"about,about,basis\nx,y,z\n", "stands there twice"),
        (b"about,basis\nx,y,z\n", "has 3 cells"),
        (b"about,basis\n\xff,DIRECT\n", "not in UTF-8"),
        (b"about,basis\n" + b"x,DIRECT\n" * 1001, "at most 1,000"),
        (b'about,basis\n"x,DIRECT\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_such_table_is_refused_whole(label: Party, data: bytes, words: str) -> None:
    with pytest.raises(ImportRefused, match=words):
        stage(label, data)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_usual_separator_is_read(label: Party, recordings: list[Recording], separator: str) -> None:
    data = separator.join(row(1)) + "\r\n" + separator.join(row(1).values()) + "\r\n"
    assert outcomes(stage(label, b"\xef\xbb\xbf" + data.encode())[1]) == ["new"]


def test_a_foreign_recording_is_none_of_ours(label: Party) -> None:
    catalog.make_recording(isrc="DEA122400001")
    assert faults(stage(label, table(row(1)))[1])[0][1] == "about"


# Round trip


def downloaded(client: Client) -> list[dict[str, str]]:
    answer = client.get(reverse("studio-records-csv", args=["bobs"]))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_handed_in_as_it_was_downloaded_changes_nothing(
    label: Party, recordings: list[Recording], at_bobs: Client
) -> None:
    staged, _ = stage(label, table(row(1, share="1/3", countries="DE"), row(2, agreement="=1+1")))
    record_imports.apply(staged, actor="user:bob")
    again, plan = stage(label, table(*downloaded(at_bobs)))
    assert outcomes(plan) == ["same", "same"]
    with pytest.raises(ImportRefused):
        record_imports.apply(again, actor="user:bob")


def test_a_changed_cell_becomes_a_new_version_with_its_difference_shown(
    label: Party, recordings: list[Recording], at_bobs: Client
) -> None:
    staged, _ = stage(label, table(row(1, until="2030-12-31")))
    record_imports.apply(staged, actor="user:bob")
    line = {**downloaded(at_bobs)[0], "until": "2031-12-31"}
    again, plan = stage(label, table(line))
    assert plan.lines[0].changes == [("until", "2030-12-31", "2031-12-31")]
    record_imports.apply(again, actor="user:bob")
    assert str(LicenceGrant.objects.get(version=2).ends_on) == "2031-12-31"


def test_a_cell_that_a_spreadsheet_would_reckon_comes_out_as_text(
    label: Party, recordings: list[Recording], at_bobs: Client
) -> None:
    staged, _ = stage(label, table(row(1, agreement="=HYPERLINK(1)")))
    record_imports.apply(staged, actor="user:bob")
    assert downloaded(at_bobs)[0]["agreement"] == "'=HYPERLINK(1)"


def test_the_same_line_again_is_on_file(label: Party, recordings: list[Recording]) -> None:
    staged, _ = stage(label, table(row(1)))
    record_imports.apply(staged, actor="user:bob")
    assert outcomes(stage(label, table(row(1)))[1]) == ["same"]


def test_a_line_that_stands_twice_is_refused(label: Party, recordings: list[Recording]) -> None:
    assert faults(stage(label, table(row(1), row(1)))[1])[0][2].startswith("Line 2 is about the same record")


def test_who_granted_never_changes(label: Party, recordings: list[Recording], at_bobs: Client) -> None:
    staged, _ = stage(label, table(row(1)))
    record_imports.apply(staged, actor="user:bob")
    _, plan = stage(label, table({**downloaded(at_bobs)[0], "licensor": "Mallory"}))
    assert faults(plan)[0][1] == "licensor"


def test_the_record_of_another_label_cannot_be_named(label: Party, recordings: list[Recording]) -> None:
    foreign = licensing.make_grant(recordings[0].works.get(), submitted_for=catalog.make_label())
    _, plan = stage(label, table(row(1, record=str(foreign.record_id))))
    assert faults(plan)[0][1] == "record"


# All or nothing


def test_a_line_that_fails_while_it_is_applied_takes_all_others_back(
    label: Party, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, _ = stage(label, table(row(1), row(2)))
    made: list[Any] = []
    real = grants.record_grant

    def failing(*args: Any, **options: Any) -> LicenceGrant:
        if made:
            raise GrantRefused("Not this one.")
        made.append(real(*args, **options))
        return made[0]

    monkeypatch.setattr(grants, "record_grant", failing)
    with pytest.raises(ImportRefused, match="Line 3: Not this one"):
        record_imports.apply(staged, actor="user:bob")
    assert made
    assert not LicenceGrant.objects.exists()
    staged.refresh_from_db()
    assert staged.state == RecordImport.State.STAGED


def test_only_what_was_shown_is_applied(label: Party, recordings: list[Recording]) -> None:
    staged, _ = stage(label, table(row(1), row(2)))
    other, _ = stage(label, table(row(2)))
    record_imports.apply(other, actor="user:eve")
    with pytest.raises(ImportRefused, match="changed since this was shown"):
        record_imports.apply(staged, actor="user:bob")
    assert LicenceGrant.objects.count() == 1


def test_without_that_guard_something_else_would_be_applied(
    label: Party, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(Plan, "sha256", "")
    staged, _ = stage(label, table(row(1), row(2)))
    other, _ = stage(label, table(row(2)))
    record_imports.apply(other, actor="user:eve")
    assert record_imports.apply(staged, actor="user:bob") == 1


def test_a_table_is_applied_once(label: Party, recordings: list[Recording]) -> None:
    staged, _ = stage(label, table(row(1)))
    record_imports.apply(staged, actor="user:bob")
    with pytest.raises(ImportRefused, match="applied or dropped before"):
        record_imports.apply(staged, actor="user:bob")


def test_a_table_costs_the_same_statements_whatever_its_length(
    label: Party, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(1, 31):
        catalog.make_recording(label=label, isrc=f"DEA1224{number:05}")
    staged, _ = stage(label, table(*(row(number) for number in range(1, 31))))
    with django_assert_max_num_queries(12):
        record_imports.plan(staged)


# In the studio


def test_a_table_goes_from_the_page_to_the_records(
    at_bobs: Client, bob: User, label: Party, recordings: list[Recording]
) -> None:
    upload = {"table": SimpleUploadedFile("mine.csv", table(row(1), row(2))), "papers": file()}
    answer = at_bobs.post(reverse("studio-record-imports", args=["bobs"]), upload)
    shown = at_bobs.get(answer["Location"]).text
    assert "2 new, 0 changed, 0 as on file, 0 refused" in shown
    at_bobs.post(answer["Location"], {"act": "apply"})
    assert {grant.submitted_by for grant in LicenceGrant.objects.all()} == {bob.actor}
    assert "Applied" in at_bobs.get(answer["Location"]).text


def test_a_table_can_be_put_away(at_bobs: Client, label: Party, recordings: list[Recording]) -> None:
    staged, _ = stage(label, table(row(1)))
    url = reverse("studio-record-import", args=["bobs", staged.public_id])
    at_bobs.post(url, {"act": "drop"})
    assert at_bobs.post(url, {"act": "apply"}).status_code == 422
    assert not LicenceGrant.objects.exists()


def test_the_template_holds_every_column(at_bobs: Client) -> None:
    answer = at_bobs.get(reverse("studio-records-template", args=["bobs"]))
    head = b"".join(answer.streaming_content).decode().strip()  # type: ignore[attr-defined]
    assert head.split(",") == list(record_imports.COLUMNS)


def test_the_table_of_another_label_is_not_found(
    at_charlies: Client, label: Party, recordings: list[Recording]
) -> None:
    staged, _ = stage(label, table(row(1)))
    assert at_charlies.get(reverse("studio-record-import", args=["charlies", staged.public_id])).status_code == 404
