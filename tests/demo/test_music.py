"""The demo's music: within full scale, the same each time, and tagged as a label would."""

import numpy as np
import pytest
from mutagen.flac import FLAC

from store.demo import catalogue, instruments, pieces
from store.demo.score import PEAK, Score, perform, to_integers

RATE = 22050


def short() -> Score:
    score = Score(tempo=120, room_seconds=0.4)
    score.play(instruments.pluck, [(0, 62, 1), (1, 66, 1)], loud=0.7)
    score.play(instruments.bass, [(0, 38, 2)], loud=0.5, pan=-0.4)
    return score


def test_a_performance_fills_its_room_and_never_clips() -> None:
    sound = perform(short(), rate=RATE)
    assert sound.shape[1] == 2
    assert np.abs(sound).max() == pytest.approx(PEAK)


def test_a_piece_sounds_the_same_each_time() -> None:
    assert np.array_equal(perform(short(), rate=RATE), perform(short(), rate=RATE))


@pytest.mark.parametrize("bits", [16, 24])
def test_whole_numbers_fit_their_bits(bits: int) -> None:
    whole = to_integers(perform(short(), rate=RATE), bits=bits)
    assert np.array_equal(whole, np.rint(whole))
    assert np.abs(whole).max() < 2 ** (bits - 1)


@pytest.mark.parametrize(
    "write", [piece.write for piece in catalogue.PIECES], ids=[piece.title for piece in catalogue.PIECES]
)
def test_every_piece_is_music_of_some_length_for_several_hands(write) -> None:
    score = write()
    seconds = max(note.at + note.length for note in score.notes) * 60 / score.tempo
    assert 30 < seconds < 120
    assert len({note.instrument for note in score.notes}) >= (1 if write is pieces.nine_windows else 2)


@pytest.mark.parametrize("bits", [16, 24])
def test_a_master_is_kept_with_its_depth_and_its_licence(tmp_path, bits: int) -> None:
    path = tmp_path / "master.flac"
    catalogue.encode_flac(perform(short(), rate=RATE), path, bits=bits, rate=RATE)
    piece = catalogue.PIECES[0]
    catalogue.tag(path, piece)
    kept = FLAC(path)
    assert (kept.info.bits_per_sample, kept["LICENSE"], kept["TITLE"]) == (bits, [catalogue.BY], [piece.title])
    assert kept.pictures[0].width == kept.pictures[0].height


def test_two_pieces_show_a_refusal() -> None:
    assert [piece.licence for piece in catalogue.PIECES if piece.licence != catalogue.BY] == [catalogue.BY_NC, ""]
