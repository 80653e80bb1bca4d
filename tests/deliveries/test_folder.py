"""A folder becomes releases, tracks, masters in quarantine, prices and lines; a second time nothing changes."""

from pathlib import Path
from typing import Any

import pytest

from catalog.credits import artist_line
from catalog.models import Artwork, Credit, Party, Recording, Release, Track, Work
from licensing.models import Instrument, LicenceGrant
from payments.errors import CurrencyError
from payments.money import Money
from store import deliveries
from store.delivered_rights import Declaration
from store.models import DeliveryLine, Price
from tests.deliveries.conftest import Deliver
from tests.deliveries.tones import CODECS, Tones
from tests.factories.catalog import make_label
from transcoding.models import Master, Upload

pytestmark = pytest.mark.django_db
BY = "https://creativecommons.org/licenses/by/4.0/"
EVERYTHING = (Party, Work, Recording, Release, Track, Credit, Artwork, Master, Upload, Instrument, LicenceGrant, Price)


def put_album(tones: Tones, folder: Path, *, tracks: int = 3, **tags: Any) -> None:
    for number in range(1, tracks + 1):
        told: dict[str, Any] = {"title": f"Song {number}", "artist": "Ana", "album": "First", "tracknumber": number}
        told |= {"license": BY} | tags
        tones.put(folder / f"{number:02d}.flac", hertz=300 + 10 * number, **told)


def test_an_album_stands_in_the_catalogue_as_its_tags_say(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder, date="2024-05-06", genre="Folk", barcode="4006381333931", tracktotal=10)
    assert [line.outcome for line in deliver()] == ["DELIVERED"] * 3
    release = Release.objects.get()
    assert (release.title, artist_line(release), release.kind, release.gtin) == (
        "First",
        "Ana",
        "ALBUM",
        "4006381333931",
    )
    assert str(release.release_date) == "2024-05-06"
    assert [(track.number, track.title) for track in release.tracks.all()] == [
        (1, "Song 1"),
        (2, "Song 2"),
        (3, "Song 3"),
    ]
    assert {recording.year for recording in Recording.objects.all()} == {2024}


@pytest.mark.parametrize("kind", CODECS)
def test_every_format_is_read(kind: str, folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / f"a.{kind}", title="Élan", artist="Ana", album="First", tracknumber=4, license=BY, date="1999")
    (line,) = deliver()
    assert line.outcome == "DELIVERED", line.message
    assert line.track is not None
    assert line.recording is not None
    assert (line.recording.title, line.recording.year, line.track.number) == ("Élan", 1999, 4)
    assert artist_line(line.recording) == "Ana"
    assert LicenceGrant.objects.get().licence_url == BY


def test_the_same_folder_twice_changes_nothing(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder)
    given = {"price": Money.parse("EUR:1.00"), "declaration": Declaration(own_works=True)}
    deliver(**given)
    before = [list(model.objects.order_by("pk").values()) for model in EVERYTHING]
    assert [line.outcome for line in deliver(**given)] == ["ALREADY_HERE"] * 3
    assert [list(model.objects.order_by("pk").values()) for model in EVERYTHING] == before


def test_a_corrected_title_does_not_bring_the_old_one_back(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder, tracks=1)
    deliver()
    Release.objects.update(title="Corrected")
    Recording.objects.update(title="Corrected too")
    deliver()
    assert [release.title for release in Release.objects.all()] == ["Corrected"]
    assert Recording.objects.count() == 1


def test_a_delivery_that_was_cut_short_is_finished_by_the_next(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder)
    deliver()
    Master.objects.all().delete()
    DeliveryLine.objects.all().delete()
    assert [line.outcome for line in deliver()] == ["DELIVERED"] * 3
    assert (Recording.objects.count(), Master.objects.count(), LicenceGrant.objects.count()) == (3, 3, 3)


def test_masters_wait_in_quarantine_for_their_examination(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder, tracks=1)
    (line,) = deliver()
    master = Master.objects.get()
    assert (master.state, master.file_sha256, master.upload.actor) == ("EXAMINING", line.file_sha256, "user:7")


def test_each_line_is_told_as_soon_as_it_is_written(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder)
    told: list[str] = []
    deliver(on_line=lambda line: told.append(line.path))
    assert told == ["01.flac", "02.flac", "03.flac"]
    assert len(deliveries.audio_files(folder)) == 3


def test_a_release_costs_the_sum_of_its_tracks_at_most_the_cap(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder)
    deliver(price=Money.parse("EUR:1.00"))
    assert Price.objects.get(release__isnull=False).amount_minor == 300
    deliver(price=Money.parse("EUR:1.00"), release_price=Money.parse("EUR:2.50"))
    assert Price.objects.get(release__isnull=False).amount_minor == 250
    assert {price.amount_minor for price in Price.objects.filter(recording__isnull=False)} == {100}


def test_prices_in_two_currencies_are_refused_before_anything_is_done(folder: Path, deliver: Deliver) -> None:
    with pytest.raises(CurrencyError):
        deliver(price=Money.parse("EUR:1.00"), release_price=Money.parse("USD:8.00"))


def test_files_without_numbers_stand_behind_the_others_by_name(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for place, (name, number) in enumerate([("b10.flac", ""), ("b9.flac", ""), ("c.flac", "2"), ("d.flac", "1")]):
        tones.put(
            folder / name, hertz=300 + place, title=name, artist="Ana", album="First", tracknumber=number, license=BY
        )
    lines = deliver()
    assert [track.title for track in Track.objects.all()] == ["d.flac", "c.flac", "b9.flac", "b10.flac"]
    assert [line.code for line in lines] == ["", "", "NO_NUMBER", "NO_NUMBER"]
    assert "placed as number 3" in lines[2].message


def test_a_number_given_twice_goes_to_the_first(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for name, hertz in (("a", 300), ("b", 310)):
        tones.put(folder / f"{name}.flac", hertz=hertz, title=name, artist="Ana", album="First", tracknumber=1)
    assert [line.track.number for line in deliver() if line.track] == [1, 2]
    assert DeliveryLine.objects.last().message.count("Number 1 of disc 1 is taken") == 1


def test_two_songs_of_one_title_are_two_recordings(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for name, hertz in (("a", 300), ("b", 310)):
        tones.put(folder / f"{name}.flac", hertz=hertz, title="Intro", artist="Ana", album="First")
    deliver()
    assert [line.outcome for line in deliver()] == ["ALREADY_HERE"] * 2
    assert Recording.objects.filter(title="Intro").count() == 2


def test_discs_in_folders_are_one_release(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for disc in (1, 2):
        tones.put(folder / f"CD {disc}" / "1.flac", hertz=300 + disc, title=f"On {disc}", artist="Ana", album="Double",
                  tracknumber=1)  # fmt: skip
    deliver()
    assert [(track.disc, track.number) for track in Release.objects.get().tracks.all()] == [(1, 1), (2, 1)]


def test_a_compilation_has_no_artist_of_its_own(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for number, artist in enumerate(["Ana", "Ben feat. Cy"], start=1):
        tones.put(folder / f"{number}.flac", hertz=300 + number, title=artist, artist=artist, album="Sampler")
    deliver()
    assert artist_line(Release.objects.get()) == "Various artists"
    assert artist_line(Recording.objects.get(title="Ben feat. Cy")) == "Ben feat. Cy"
    assert sorted(Party.objects.values_list("name", flat=True)) == ["Ana", "Ben", "Bob's Records", "Cy"]


def test_albums_of_one_title_by_two_artists_stay_apart(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for hertz, artist in ((300, "Ana"), (310, "Ben")):
        tones.put(folder / artist / "1.flac", hertz=hertz, title="One", artist=artist, album="Greatest Hits")
    deliver()
    assert sorted(artist_line(release) for release in Release.objects.all()) == ["Ana", "Ben"]


def test_guests_on_some_tracks_do_not_split_an_album(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for number, artist in enumerate(["Ana", "Ana feat. Ben"], start=1):
        tones.put(folder / f"{number}.flac", hertz=300 + number, title=f"{number}", artist=artist, album="First")
    deliver()
    assert artist_line(Release.objects.get()) == "Ana"


def test_one_file_in_two_places_is_one_recording(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for name in ("a", "b"):
        tones.put(folder / f"{name}.flac", title="Song", artist="Ana", album="First", license=BY)
    assert [line.outcome for line in deliver()] == ["DELIVERED", "ALREADY_HERE"]
    assert Recording.objects.count() == 1


def test_two_labels_with_one_file_have_a_recording_each(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put_album(tones, folder, tracks=1)
    deliver()
    (line,) = deliver(label=make_label("Charlie's"))
    assert line.outcome == "DELIVERED"
    assert {recording.label.name for recording in Recording.objects.all()} == {"Bob's Records", "Charlie's"}
    assert Party.objects.filter(name="Ana").count() == 2


def test_a_delivery_needs_no_more_than_the_application_may(
    folder: Path, tones: Tones, deliver: Deliver, label: Party, as_application: None
) -> None:
    put_album(tones, folder)
    deliver(price=Money.parse("EUR:1.00"), declaration=Declaration(own_works=True))
    assert LicenceGrant.objects.count() == 6


def test_the_statements_for_a_known_file_do_not_grow_with_the_catalogue(
    folder: Path, tones: Tones, deliver: Deliver, django_assert_max_num_queries: object
) -> None:
    put_album(tones, folder, tracks=6)
    deliver()
    with django_assert_max_num_queries(6 * 20 + 15):  # type: ignore[operator]
        deliver()
