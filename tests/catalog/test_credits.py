"""How artists stand on a sleeve."""

from collections.abc import Sequence

import pytest

from catalog import parties
from catalog.credits import add_credit, artist_line, writers
from tests.factories.catalog import make_credit, make_label, make_party, make_recording, make_release, make_work

pytestmark = pytest.mark.django_db


def line(main: list[str], featured: Sequence[str] = ()) -> str:
    recording = make_recording(artist=make_party(main[0]))
    for position, name in enumerate(main[1:], start=2):
        make_credit(make_party(name), recording=recording, position=position)
    for position, name in enumerate(featured, start=1):
        make_credit(make_party(name), recording=recording, role="FEATURED_ARTIST", position=position)
    return artist_line(recording)


@pytest.mark.parametrize(
    ("main", "featured", "reads"),
    [
        (["Ana"], [], "Ana"),
        (["Ana", "Ben"], [], "Ana & Ben"),
        (["Ana", "Ben", "Cy"], ["Dora"], "Ana, Ben & Cy feat. Dora"),
    ],
)
def test_an_artist_line_reads_as_on_a_sleeve(main: list[str], featured: list[str], reads: str) -> None:
    assert line(main, featured) == reads


def test_a_release_without_artist_of_its_own_has_various() -> None:
    release = make_release()
    release.credits.all().delete()
    assert artist_line(release) == "Various artists"


def test_the_name_on_the_sleeve_goes_before_the_party_s() -> None:
    release = make_release()
    release.credits.update(credited_as="A. N. A.")
    assert artist_line(release) == "A. N. A."


def test_crediting_twice_changes_nothing() -> None:
    recording, guest = make_recording(), make_party()
    first = add_credit(recording, guest, role="PRODUCER")
    assert add_credit(recording, guest, role="PRODUCER") == first


def test_writers_are_those_of_the_works_each_once() -> None:
    recording, ana = make_recording(works=0), make_party("Ana")
    for position in (1, 2):
        recording.recording_works.create(work=make_work(composer=ana), position=position)
    assert writers(recording) == ["Ana"]


def test_one_name_at_two_labels_is_two_parties() -> None:
    ana = make_party("Ana")
    first, second = make_label(), make_label()
    make_recording(artist=ana, label=first)
    assert parties.artist_of(first, "ANA") == ana
    assert parties.artist_of(second, "Ana") != ana


def test_a_label_that_performs_is_its_own_artist() -> None:
    label = make_label("Maxstack")
    assert parties.artist_of(label, "maxstack") == label
