"""Which recording a file is: by its bytes, by ISRC, by place and title; and what only looks alike must sound alike."""

from pathlib import Path

import pytest

from catalog.credits import artist_line
from catalog.models import Recording, Work
from licensing.models import LicenceGrant
from tests.deliveries.conftest import Deliver
from tests.deliveries.tones import Tones
from tests.factories.catalog import make_label
from transcoding import masters
from transcoding.models import Master

pytestmark = pytest.mark.django_db
ISRC = "USRC17607839"
BY = "https://creativecommons.org/licenses/by/4.0/"


def examine_all() -> None:
    for master in Master.objects.filter(state=Master.State.EXAMINING):
        masters.examine(master.pk)


@pytest.mark.parametrize("examined", [True, False])
def test_one_isrc_with_another_sound_is_refused(
    *, examined: bool, folder: Path, tones: Tones, deliver: Deliver
) -> None:
    tones.put(folder / "a.flac", hertz=300, title="Song", artist="Ana", isrc=ISRC)
    deliver()
    if examined:
        examine_all()
    tones.put(folder / "b.flac", hertz=310, title="Song", artist="Ana", isrc=ISRC)
    line = deliver()[1]
    assert (line.outcome, line.code) == ("REFUSED", "SOUND_DIFFERS")
    assert "US-RC1-76-07839" in line.message
    assert (Recording.objects.count(), Master.objects.count()) == (1, 1)


def test_one_isrc_with_the_same_sound_in_new_tags_is_the_same_recording(
    folder: Path, tones: Tones, deliver: Deliver
) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First", isrc=ISRC)
    deliver()
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First", isrc=ISRC, genre="Folk", license=BY)
    (line,) = deliver()
    assert line.outcome == "ALREADY_HERE"
    assert "Now with genre, 1 licence record" in line.message
    assert (Recording.objects.get().genre, Master.objects.count()) == ("Folk", 1)
    assert LicenceGrant.objects.get().evidence.get().source_file_sha256 == line.file_sha256


def test_new_tags_are_known_again_without_another_look_at_the_sound(
    folder: Path, tones: Tones, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First", isrc=ISRC)
    deliver()
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First", isrc=ISRC, license=BY)
    deliver()
    monkeypatch.setattr("transcoding.probe.examine", None)
    (line,) = deliver()
    assert (line.outcome, line.code) == ("ALREADY_HERE", "ALREADY_HERE")


def test_an_isrc_of_another_label_is_refused(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana", isrc=ISRC)
    deliver()
    (line,) = deliver(label=make_label("Charlie's"))
    assert (line.outcome, line.code) == ("REFUSED", "ISRC_OF_ANOTHER_LABEL")
    assert Recording.objects.count() == 1


def test_tags_written_later_reach_the_recording_without_isrc(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", album="First", artist="Ana", tracknumber=1)
    deliver()
    tones.put(folder / "a.flac", title="Song", album="First", artist="Ana", tracknumber=1, isrc=ISRC, date="1999")
    (line,) = deliver()
    assert "Now with ISRC, year" in line.message
    assert (Recording.objects.get().isrc, Recording.objects.get().year) == (ISRC, 1999)


def test_an_artist_written_later_is_credited(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", album="First", albumartist="Various Artists", tracknumber=1)
    deliver()
    Recording.objects.get().credits.all().delete()
    tones.put(
        folder / "a.flac", title="Song", album="First", albumartist="Various Artists", artist="Ana", tracknumber=1
    )
    deliver()
    assert artist_line(Recording.objects.get()) == "Ana"


def test_another_sound_at_the_same_place_under_the_same_name_is_refused(
    folder: Path, tones: Tones, deliver: Deliver
) -> None:
    tones.put(folder / "a.flac", hertz=300, title="Song", artist="Ana", album="First", tracknumber=1)
    deliver()
    tones.put(folder / "a.flac", hertz=310, title="Song", artist="Ana", album="First", tracknumber=1)
    (line,) = deliver()
    assert line.code == "SOUND_DIFFERS"
    assert "track 1.1 of “First”" in line.message


def test_what_people_corrected_is_not_overwritten_by_tags(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First", isrc=ISRC, genre="Pop")
    deliver()
    Recording.objects.update(genre="Chamber")
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First", isrc=ISRC, genre="Rock")
    deliver()
    assert Recording.objects.get().genre == "Chamber"


def test_one_work_of_an_iswc_within_a_label_and_no_further(folder: Path, tones: Tones, deliver: Deliver) -> None:
    iswc = "T-034.524.680-1"
    for name, hertz in (("studio", 300), ("live", 310)):
        tones.put(folder / f"{name}.flac", hertz=hertz, title=name, artist="Ana", album="First", iswc=iswc)
    deliver()
    assert Work.objects.get().iswc == "T0345246801"
    lines = deliver(label=make_label("Charlie's"))
    assert all("another label's recording" in line.message for line in lines)
    assert Work.objects.filter(iswc=None).count() == 2


def test_equal_titles_are_not_taken_for_one_work(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for album, hertz in (("One", 300), ("Two", 310)):
        tones.put(folder / f"{album}.flac", hertz=hertz, title="Song", artist="Ana", album=album)
    deliver()
    assert Work.objects.count() == 2
