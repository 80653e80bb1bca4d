"""What was not decoded whole when it was made is heard to its end later; what is wrong is handed out no more."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from tests.factories.transcoding import deliver, make_master, make_rendition, make_tags
from tests.transcoding import sounds
from transcoding import encode, formats, frames, hearings, looks, probe, renditions, sandbox, storage, tasks
from transcoding.errors import ProcessFailed
from transcoding.models import Attempt, Master, Rendition

pytestmark = pytest.mark.django_db
READY, PLANNED, FAILED = Rendition.State.READY, Rendition.State.PLANNED, Rendition.State.FAILED
SECONDS = 6.5  # so that the middle is in neither end that is heard at once


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("piece")
    return sounds.convert(sounds.write_wav(folder / "piece.wav", seconds=SECONDS), folder / "piece.flac")


def make(master: Master, code: str, **tags: object) -> Rendition:
    (row,) = renditions.plan(master, [formats.get(code)], tags=make_tags(**tags), at=timezone.now())
    renditions.make_due(master.pk)
    row.refresh_from_db()
    return row


def spoil(path: Path) -> None:
    """A hundred bytes of nonsense in the middle, within a frame of AAC, so that no walk over frames sees them."""
    whole = path.read_bytes()
    for at in range(len(whole) // 2, len(whole), 50):
        path.write_bytes(whole[:at] + bytes(byte ^ 0x5A for byte in whole[at : at + 100]) + whole[at + 100 :])
        if frames.samples(path, "aac", rate=44100, channels=2) is not None:
            return
    raise AssertionError("Every frame shows it.")


@pytest.fixture
def bad_encoder(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    encoded = encode.encode

    def encode_badly(source, sound, outputs, **more):
        digest = encoded(source, sound, outputs, **more)
        for path in outputs:
            spoil(path)
        return digest

    monkeypatch.setattr(encode, "encode", encode_badly)
    return monkeypatch


def test_a_lossy_file_is_owed_a_hearing_and_heard_once(piece: Path) -> None:
    row = make(deliver(piece), "MP3_V0")
    assert list(hearings.owed(timezone.now())) == [row]
    assert hearings.catch_up() == 1
    row.refresh_from_db()
    assert (row.state, row.claimed_until) == (READY, None)
    assert row.heard_at is not None
    assert hearings.catch_up() == 0


def test_what_was_decoded_whole_when_it_was_made_is_owed_none(piece: Path) -> None:
    make(deliver(piece), "ALAC")
    assert not hearings.owed(timezone.now()).exists()


def test_nonsense_in_good_order_is_found_and_made_anew(piece: Path, bad_encoder) -> None:
    row = make(deliver(piece), "AAC_256")
    assert row.state == READY, "walking over its frames does not find that"
    bytes_before = row.sha256
    hearings.catch_up()
    row.refresh_from_db()
    assert (row.state, row.sha256, row.storage_key, row.disowned) == (PLANNED, "", "", 1)
    assert bytes_before in row.error
    assert row.tries.latest("fence").outcome == Attempt.Outcome.FAILED
    bad_encoder.undo()
    renditions.make_due(row.master_id)
    row.refresh_from_db()
    assert row.state == READY
    assert row.sha256 != bytes_before
    assert row.sound_sha256, "this time it was decoded whole before it was ready"


def test_the_control_without_the_hearing_it_would_be_sold_on(piece: Path, bad_encoder, monkeypatch) -> None:
    row = make(deliver(piece), "AAC_256")
    monkeypatch.setattr(hearings, "disown", lambda *_, **__: None)
    hearings.catch_up()
    row.refresh_from_db()
    assert (row.state, storage.exists(row.storage_key)) == (READY, True)


def test_an_encoder_that_goes_on_writing_nonsense_is_given_up_on(piece: Path, bad_encoder) -> None:
    row = make(deliver(piece), "AAC_256")
    hearings.catch_up()
    for _ in range(3):
        Rendition.objects.update(claimed_until=None)
        renditions.make_due(row.master_id)
    row.refresh_from_db()
    assert row.state == FAILED
    assert row.sha256 == ""


def test_files_with_other_tags_and_the_same_sound_go_with_it(piece: Path, bad_encoder) -> None:
    master = deliver(piece)
    one, other = make(master, "AAC_256"), make(master, "AAC_256", title="Corrected")
    hearings.catch_up()
    assert {row.state for row in Rendition.objects.filter(pk__in=[one.pk, other.pk])} == {PLANNED}


def test_a_copy_of_what_is_found_wrong_meanwhile_is_not_published(piece: Path, bad_encoder) -> None:
    """The copy is finished, stored and about to be published when somebody hears its original."""
    master = deliver(piece)
    wrong, put = make(master, "AAC_256"), storage.put_hashed
    bad_encoder.undo()

    def put_late(*args, **more):
        put(*args, **more)
        hearings.disown(wrong, "Nonsense.", at=timezone.now())

    bad_encoder.setattr(storage, "put_hashed", put_late)
    copy = make(master, "AAC_256", title="Corrected")
    wrong.refresh_from_db()
    assert copy.tries.earliest("fence").outcome == Attempt.Outcome.FAILED
    assert [(row.state, bool(row.sound_sha256)) for row in (wrong, copy)] == [(READY, True)] * 2


def test_what_was_found_wrong_is_not_made_anew_from_a_copy_that_nobody_heard(piece: Path, bad_encoder) -> None:
    master = deliver(piece)
    wrong = make(master, "AAC_256")
    hearings.disown(wrong, "Nonsense.", at=timezone.now())
    other = make(master, "AAC_256", title="Corrected")  # by the same encoder; nobody knows yet
    assert (other.state, other.heard_at, other.sound_sha256) == (READY, None, "")
    bad_encoder.undo()
    Rendition.objects.update(claimed_until=None)
    renditions.make_due(master.pk)
    wrong.refresh_from_db()
    assert (wrong.state, bool(wrong.sound_sha256)) == (READY, True)


def test_a_corrected_title_needs_no_second_hearing(piece: Path) -> None:
    master = deliver(piece)
    make(master, "MP3_V0")
    hearings.catch_up()
    assert make(master, "MP3_V0", title="Corrected").heard_at is not None


def test_a_corrected_title_of_a_file_once_made_anew_comes_back_when_it_is_lost(piece: Path, bad_encoder) -> None:
    """Its sound was decoded whole and its own row never disowned: made again it is only walked over."""
    master = deliver(piece)
    make(master, "AAC_256")
    hearings.catch_up()
    bad_encoder.undo()
    renditions.make_due(master.pk)
    row = make(master, "AAC_256", title="Corrected")
    assert (row.disowned, len(row.sound_sha256)) == (0, 64)
    path = storage.path_of(row.storage_key)
    assert path is not None
    path.unlink()
    assert looks.suspect(row.storage_key, at=timezone.now())
    renditions.make_due(master.pk)
    again = Rendition.objects.get(pk=row.pk)
    assert (again.state, again.sound_sha256) == (READY, row.sound_sha256)


def test_while_there_is_other_work_one_file_is_heard_at_a_time(piece: Path) -> None:
    master = deliver(piece)
    for code in ("MP3_V0", "MP3_320"):
        make(master, code)
    renditions.plan(make_master(), [formats.get("FLAC")], tags=make_tags(), at=timezone.now())
    assert hearings.catch_up() == 1


def test_what_two_workers_hear_is_not_the_same(piece: Path) -> None:
    make(deliver(piece), "MP3_V0")
    assert hearings._claim(at=timezone.now()) is not None
    assert hearings._claim(at=timezone.now()) is None
    assert hearings._claim(at=timezone.now() + hearings.HOLD) is not None, "whoever took it may have died"


def test_a_file_that_is_gone_is_the_scrubs_business_and_holds_nobody_up(piece: Path) -> None:
    row = make(deliver(piece), "MP3_V0")
    path = storage.path_of(row.storage_key)
    assert path is not None
    path.unlink()
    assert hearings.catch_up() == 1
    row.refresh_from_db()
    assert (row.state, row.disowned) == (PLANNED, 0)


def test_a_machine_too_busy_to_hear_a_file_says_nothing_of_it(piece: Path, monkeypatch) -> None:
    row = make(deliver(piece), "MP3_V0")
    limits = encode.limits
    monkeypatch.setattr(encode, "limits", lambda *a, **b: replace(limits(*a, **b), wall_seconds=0))
    hearings.catch_up()
    row.refresh_from_db()
    assert (row.state, row.heard_at) == (READY, None)
    assert row not in hearings.owed(timezone.now()), "others come first"
    assert row in hearings.owed(timezone.now() + hearings.HOLD + timedelta(seconds=1))


MACHINES = {
    "its fence cannot be built": "exit 126",
    "a library is missing": "echo error while loading shared libraries >&2; exit 127",
    "its decoder crashes": "kill -SEGV $$",
    "its ffmpeg lacks the decoder": "echo Decoder not found >&2; exit 1",
}


@pytest.fixture(params=MACHINES)
def broken_machine(request: pytest.FixtureRequest, tmp_path: Path, settings, monkeypatch) -> Callable[[], None]:
    """Breaks it once it is called."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{MACHINES[request.param]}\n")
    program.chmod(0o755)

    def break_it() -> None:
        monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")
        settings.FFMPEG = str(program)

    return break_it


def test_a_broken_machine_disowns_no_good_file(piece: Path, broken_machine: Callable[[], None], settings) -> None:
    row = make(deliver(piece), "MP3_V0")
    broken_machine()
    assert hearings.catch_up() == 1
    row.refresh_from_db()
    assert (row.state, row.heard_at, row.disowned) == (READY, None, 0)
    assert row not in hearings.owed(timezone.now()), "others come first"
    settings.FFMPEG = ""
    hearings.hear(row)
    row.refresh_from_db()
    assert row.heard_at is not None


def test_the_control_without_hearing_the_ends_a_broken_machine_would(
    piece: Path, broken_machine: Callable[[], None], monkeypatch
) -> None:
    row = make(deliver(piece), "MP3_V0")
    broken_machine()
    monkeypatch.setattr(encode, "at_sight", lambda *_: encode.Proved("", row.samples))
    hearings.catch_up()
    row.refresh_from_db()
    assert (row.state, row.disowned) == (PLANNED, 1)


def decoder_says(words: str, monkeypatch, *, times: int) -> None:
    """A whole decoding ends with these words so often; the ends are heard as ever."""
    decode, said = probe.decode, itertools.count()

    def fail(*args, **more):
        if next(said) < times:
            raise ProcessFailed(words)
        return decode(*args, **more)

    monkeypatch.setattr(probe, "decode", fail)


def test_a_decoder_that_falls_over_once_is_not_believed(piece: Path, monkeypatch) -> None:
    row = make(deliver(piece), "MP3_V0")
    decoder_says("ffmpeg ended with -11: no words", monkeypatch, times=1)
    hearings.catch_up()
    row.refresh_from_db()
    assert (row.state, row.disowned) == (READY, 0)
    assert row.heard_at is not None


def test_a_disk_that_fails_under_the_decoder_says_nothing_of_the_file(piece: Path, monkeypatch) -> None:
    row = make(deliver(piece), "MP3_V0")
    decoder_says("ffmpeg ended with 251: Input/output error", monkeypatch, times=9)
    hearings.catch_up()
    row.refresh_from_db()
    assert (row.state, row.heard_at, row.disowned) == (READY, None, 0)


def test_what_is_taken_in_hand_while_it_is_heard_is_not_called_heard(piece: Path, monkeypatch) -> None:
    row = make(deliver(piece), "MP3_V0")
    verify = encode.verify

    def lose(*args, **more):
        Rendition.objects.filter(pk=row.pk).update(state=Rendition.State.MAKING, fence=F("fence") + 1)
        return verify(*args, **more)

    monkeypatch.setattr(encode, "verify", lose)
    claimed = hearings._claim(at=timezone.now())
    assert claimed is not None
    hearings.hear(claimed)
    row.refresh_from_db()
    assert row.heard_at is None
    assert row.claimed_until is not None, "the lease of whoever makes it now"


def test_the_sweep_rings_for_it_only_where_something_is_owed(monkeypatch) -> None:
    rung: list[object] = []
    monkeypatch.setattr(tasks.hear_finished, "apply_async", lambda **more: rung.append(more))
    tasks.sweep()
    assert rung == []
    make_rendition(format="MP3_V0")
    tasks.sweep()
    tasks.sweep()
    assert rung == [{"expires": tasks.HEAR_OFTEN}]


def test_the_database_lets_bytes_be_forgotten_only_as_wrong_ones() -> None:
    row = make_rendition(format="MP3_V0")
    made = Rendition.objects.filter(pk=row.pk)
    with pytest.raises(IntegrityError, match="nor its bytes once made"), transaction.atomic():
        made.update(state=PLANNED, sha256="", storage_key="")
    hearings.disown(row, "Nonsense.", at=timezone.now())
    with pytest.raises(IntegrityError, match="buyers may hold it"), transaction.atomic():
        made._raw_delete(made.db)
