"""E4: what strangers hand in as evidence is kept as it came, runs nowhere, and is seen as pictures from the fence."""

import hashlib
import io
import socket
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from PIL import Image

from licensing.models import Instrument, evidence_storage
from licensing.terms import EvidenceKind
from store import evidence_pages, render_pages, tasks
from store.evidence_pages import Pages
from store.models import EvidencePage, EvidencePages
from tests.factories import licensing
from tests.store import papers
from transcoding import sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_storage(tmp_path, settings):
    settings.STORAGES = settings.STORAGES | {
        "evidence": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "evidence", "base_url": None, "allow_overwrite": False},
        }
    }


def keep(data: bytes, media_type: str = "application/pdf") -> Instrument:
    return licensing.make_evidence(EvidenceKind.AGREEMENT, text="", data=data, media_type=media_type)


def drawn(data: bytes) -> tuple[EvidencePages, Pages]:
    """The row and what a reviewer sees of this file, after a worker came by."""
    instrument = keep(data)
    row = EvidencePages.objects.get(sha256=instrument.sha256)
    assert evidence_pages.draw(row.pk)
    row.refresh_from_db()
    return row, evidence_pages.pages_of(instrument)


def picture(row: EvidencePages, number: int = 1) -> Image.Image:
    data = evidence_pages.image(Instrument.objects.get(sha256=row.sha256), number)
    assert data is not None
    return Image.open(io.BytesIO(data))


def ink(image: Image.Image) -> int:
    return sum(image.convert("L").histogram()[:128])


# What is drawn


def test_an_agreement_is_seen_page_by_page():
    row, pages = drawn(papers.plain(pages=3))
    assert [(page.number, page.width) for page in pages.images] == [(1, 1240), (2, 1240), (3, 1240)]
    assert pages.note == ""
    assert ink(picture(row)) > 1000


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_scan_is_a_page(form):
    out = io.BytesIO()
    Image.new("RGB", (900, 1200), "white").save(out, form)
    _, pages = drawn(out.getvalue())
    assert [(page.width, page.height) for page in pages.images] == [(900, 1200)]


def test_a_scan_of_several_sheets_is_as_many_pages():
    out, sheet = io.BytesIO(), Image.new("L", (300, 400), 255)
    sheet.save(out, "TIFF", save_all=True, append_images=[sheet, sheet])
    assert len(drawn(out.getvalue())[1].images) == 3


def test_of_a_captured_web_page_only_the_words_are_shown():
    page = b"<!doctype html><title>CC BY 4.0</title><script>alert(1)</script><p>You are free to share</p>"
    row, pages = drawn(page)
    assert "Only its words are shown" in pages.note
    assert ink(picture(row)) > 500


def test_a_plain_text_is_a_page():
    assert len(drawn(b"We grant the store the right to sell.\n" * 60)[1].images) == 2


def test_the_same_bytes_are_drawn_once():
    first = keep(papers.plain())
    again = keep(papers.plain())
    assert EvidencePages.objects.count() == 1
    evidence_pages.draw(EvidencePages.objects.get().pk)
    assert len(evidence_pages.pages_of(first).images) == len(evidence_pages.pages_of(again).images) == 1


def test_until_a_worker_came_the_page_says_so():
    pages = evidence_pages.pages_of(keep(papers.plain()))
    assert pages.waits
    assert "being drawn" in pages.note


def test_a_text_has_no_pages_and_owes_none():
    assert evidence_pages.pages_of(licensing.make_evidence()) == Pages()
    assert not EvidencePages.objects.exists()


def test_any_number_of_files_costs_two_statements(django_assert_num_queries):
    kept = [keep(papers.plain(f"Number {number}")) for number in range(5)]
    with django_assert_num_queries(2):
        evidence_pages.pages_by_instrument(kept)


# E4: each hostile file, what is kept of it, and in which words it is refused


@pytest.mark.parametrize(
    ("make", "code", "shown"),
    [
        (papers.locked, "LOCKED", 0),
        (papers.scripted, "SCRIPTS", 1),
        (papers.scripted_in_a_packed_object, "SCRIPTS", 1),
        (papers.launching, "LAUNCH", 1),
        (papers.carrying, "ATTACHMENTS", 1),
        (papers.web_page_too, "MARKUP", 1),
        (papers.web_page_first, "KIND", 0),
    ],
)
def test_a_hostile_file_is_kept_as_it_came_and_named(make, code, shown):
    data = make()
    row, pages = drawn(data)
    kept = Instrument.objects.get()
    assert Path(evidence_storage().path(str(kept.file))).read_bytes() == data
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    assert code in row.codes
    assert evidence_pages.NOTES[code] in pages.note
    assert len(pages.images) == shown


def test_a_plain_agreement_earns_no_such_words():
    """The control of the test above."""
    assert drawn(papers.plain())[0].codes == []


def test_of_ten_thousand_pages_twenty_are_drawn():
    row, pages = drawn(papers.plain(pages=10_000))
    assert row.total == 10_000
    assert len(pages.images) == render_pages.MOST_PAGES
    assert "10,000 pages; 20 are shown" in pages.note


def test_a_page_tree_and_a_picture_that_loop_come_to_an_end():
    begun = time.monotonic()
    row, _ = drawn(papers.looping())
    assert row.state == EvidencePages.State.DRAWN
    assert time.monotonic() - begun < 30


def test_a_page_of_any_size_has_a_bounded_picture():
    _, pages = drawn(papers.huge_page())
    assert all(page.width * page.height <= render_pages.MOST_PIXELS for page in pages.images)


def test_a_damaged_file_is_said_to_be_damaged():
    assert drawn(b"%PDF-1.7\nnothing follows")[1].note == evidence_pages.NOTES["BROKEN"]


def test_drawing_takes_no_longer_than_it_may(monkeypatch):
    monkeypatch.setattr(evidence_pages, "LIMITS", replace(evidence_pages.LIMITS, cpu_seconds=2, wall_seconds=4))
    begun = time.monotonic()
    row, _ = drawn(papers.exhausting())
    assert row.codes == ["TOO_MUCH"]
    assert time.monotonic() - begun < 15


def test_within_the_same_limits_a_plain_agreement_is_drawn(monkeypatch):
    """The control of the test above."""
    monkeypatch.setattr(evidence_pages, "LIMITS", replace(evidence_pages.LIMITS, cpu_seconds=2, wall_seconds=4))
    assert drawn(papers.plain())[0].codes == []


# The fence


def script(tmp_path: Path, monkeypatch, body: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"import struct, sys\nout = sys.stdout.buffer\nHEADER = struct.Struct('>cHHHI')\n{body}")
    monkeypatch.setattr(evidence_pages, "SCRIPT", path)


GOOD = "out.write(HEADER.pack(b'P', 1, 2, 2, 12) + bytes(12))"


@pytest.mark.parametrize(
    "frame",
    [
        "out.write(HEADER.pack(b'P', 1, 2, 2, 11) + bytes(11))",
        "out.write(HEADER.pack(b'P', 99, 2, 2, 12) + bytes(12))",
        "out.write(HEADER.pack(b'P', 1, 0, 0, 0))",
        "out.write(HEADER.pack(b'X', 1, 2, 2, 12) + bytes(12))",
        "out.write(HEADER.pack(b'P', 1, 65535, 65535, 4294967295))",
        f"{GOOD}\n{GOOD}",
    ],
)
def test_nonsense_out_of_the_fence_is_not_believed(tmp_path, monkeypatch, frame):
    script(tmp_path, monkeypatch, frame)
    assert "BROKEN" in drawn(papers.plain())[0].codes


def test_sense_out_of_the_fence_is(tmp_path, monkeypatch):
    """The control of the test above."""
    script(tmp_path, monkeypatch, GOOD)
    row, pages = drawn(papers.plain())
    assert row.codes == []
    assert len(pages.images) == 1


def test_what_draws_may_write_no_file(tmp_path, monkeypatch):
    target = tmp_path / "planted"
    script(tmp_path, monkeypatch, f"import pathlib\npathlib.Path({str(target)!r}).write_text('here')\n{GOOD}")
    row, _ = drawn(papers.plain())
    assert row.codes != []
    assert not target.exists() or target.stat().st_size == 0


def test_what_draws_sees_no_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    script(tmp_path, monkeypatch, f"import os\nassert 'DATABASE_PASSWORD' not in os.environ\n{GOOD}")
    assert drawn(papers.plain())[0].codes == []


@pytest.mark.skipif(sandbox.fence_name() == "limits", reason="the weakest fence does not bar the network")
def test_what_draws_reaches_no_network(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        reach = f"try:\n socket.create_connection({address!r}, 1)\nexcept OSError:\n pass\nelse:\n sys.exit('reached')"
        script(tmp_path, monkeypatch, f"import socket\n{reach}\n{GOOD}")
        assert drawn(papers.plain())[0].codes == []
        monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")  # the control: without the fence it is reached
        assert drawn(papers.plain("Signed again."))[0].codes == ["BROKEN"]


# Owed work


def test_a_file_owes_its_pages_by_whatever_route_it_comes():
    instrument = keep(papers.plain())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM store_evidencepages")
        cursor.execute(
            "INSERT INTO licensing_instrument (public_id, kind, text, file, sha256, bytes, media_type,"
            " source_file_sha256, captured_at, captured_by) SELECT gen_random_uuid(), kind, text, file, sha256, bytes,"
            " media_type, source_file_sha256, captured_at, captured_by FROM licensing_instrument WHERE id = %s",
            [instrument.pk],
        )
    assert EvidencePages.objects.get().sha256 == instrument.sha256


def test_without_the_trigger_nothing_would_be_owed():
    """The control of the test above."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER store_owe_evidence_pages ON licensing_instrument")
    keep(papers.plain())
    assert not EvidencePages.objects.exists()


def test_the_sweep_rings_for_what_waits_and_not_for_what_is_drawn(monkeypatch):
    rung: list[int] = []
    monkeypatch.setattr(tasks.draw_evidence, "delay", rung.append)
    keep(papers.plain())
    row = EvidencePages.objects.get()
    tasks.sweep()
    assert rung == [row.pk]
    tasks.draw_evidence(row.pk)
    assert not evidence_pages.owed(timezone.now()).exists()


def test_two_workers_draw_it_once():
    keep(papers.plain())
    row = EvidencePages.objects.get()
    assert [evidence_pages.draw(row.pk), evidence_pages.draw(row.pk)] == [True, False]
    assert EvidencePage.objects.count() == 1


def test_a_worker_that_comes_back_late_changes_nothing(monkeypatch):
    keep(papers.plain())
    row = EvidencePages.objects.get()

    def overtaken(data, drawing):
        EvidencePages.objects.update(fence=99)

    monkeypatch.setattr(evidence_pages, "_draw", overtaken)
    assert not evidence_pages.draw(row.pk)
    row.refresh_from_db()
    assert row.state == EvidencePages.State.DUE


def test_a_file_that_kills_its_worker_each_time_is_given_up():
    keep(papers.plain())
    row = EvidencePages.objects.get()
    EvidencePages.objects.update(attempts=evidence_pages.MOST_ATTEMPTS, claimed_until=timezone.now())
    later = timezone.now() + timedelta(seconds=1)
    assert evidence_pages.draw(row.pk, at=later)
    assert EvidencePages.objects.get().codes == ["GAVE_UP"]


# What was drawn stays what it was


def test_altered_evidence_is_not_drawn():
    instrument = keep(papers.plain())
    Path(evidence_storage().path(str(instrument.file))).write_bytes(b"%PDF-1.4 another")
    row = EvidencePages.objects.get()
    evidence_pages.draw(row.pk)
    assert evidence_pages.pages_of(instrument).note == evidence_pages.NOTES["ALTERED"]


def test_a_picture_that_was_swapped_is_not_shown():
    row, _ = drawn(papers.plain())
    instrument = Instrument.objects.get()
    assert evidence_pages.image(instrument, 1)
    name = evidence_pages._name(row.pages.get().sha256)
    Path(evidence_storage().path(name)).write_bytes(b"another")
    assert evidence_pages.image(instrument, 1) is None
