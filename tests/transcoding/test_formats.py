"""What the table of formats promises for every member."""

from dataclasses import replace

import pytest

from tests.factories.transcoding import make_lossy_master, make_master
from transcoding import formats
from transcoding.errors import UnknownFormat
from transcoding.formats import FORMATS, Format
from transcoding.previews import Passage

CD = Passage(44100, 2, 441_000, container="flac", codec="flac", lossless=True, bit_depth=16)
STUDIO = replace(CD, sample_rate=96000, bit_depth=24)
VORBIS = Passage(44100, 2, 441_000, container="ogg", codec="vorbis")


def codes(offered: list[Format]) -> set[str]:
    return {each.code for each in offered}


def test_a_lossless_master_is_sold_in_every_format_we_make() -> None:
    assert [each.code for each in formats.first_for(CD)] == [
        "FLAC", "MP3_V0", "MP3_320", "OGG_Q6", "AAC_256", "ALAC", "OPUS_128", "WAV", "AIFF",
    ]  # fmt: skip
    assert codes(formats.offered_for(CD)) >= {
        "MP3_V2", "MP3_256", "MP3_192", "MP3_128", "AAC_192", "AAC_128",
        "OGG_Q4", "OGG_Q5", "OGG_Q7", "OGG_Q8", "OGG_Q9",
        "OPUS_96", "OPUS_160", "OPUS_192", "OPUS_256", "WV", "TTA", "WMA_192",
    }  # fmt: skip


@pytest.mark.parametrize("codec", ["vorbis", "opus", "aac", "mp3"])
def test_nothing_lossless_comes_out_of_a_lossy_master(codec: str) -> None:
    offered = formats.offered_for(replace(VORBIS, codec=codec))
    assert not any(each.lossless for each in offered)
    assert offered[0].code == "ORIGINAL"


def test_a_lossy_master_is_never_encoded_again_into_its_own_codec() -> None:
    assert "OGG_Q6" not in codes(formats.offered_for(VORBIS))
    assert not {"MP3_V0", "MP3_320"} & codes(formats.offered_for(replace(VORBIS, container="mp3", codec="mp3")))


def test_ahead_are_those_the_shop_promises_at_once() -> None:
    assert codes(formats.ahead_for(CD)) == {"FLAC", "MP3_V0", "MP3_320", "OGG_Q6"}
    assert codes(formats.ahead_for(VORBIS)) == {"ORIGINAL", "MP3_V0", "MP3_320"}


def test_a_rendition_of_a_lossy_master_says_so_in_its_name() -> None:
    assert formats.label(FORMATS["MP3_V0"], VORBIS) == "MP3 V0, made from a lossy source"
    assert formats.label(FORMATS["MP3_V0"], CD) == "MP3 V0"
    assert formats.label(FORMATS["FLAC"], CD) == "FLAC, lossless"
    assert formats.label(FORMATS["ORIGINAL"], VORBIS) == "Ogg Vorbis, the delivered file itself"


@pytest.mark.parametrize("master", [CD, STUDIO, VORBIS])
def test_every_question_has_an_answer_for_every_format(master: Passage) -> None:
    for code in FORMATS:
        each = formats.get(code)
        assert each.code == code
        assert len(code) <= 16
        assert formats.extension(each, master)
        assert formats.media_type(each, master).startswith("audio/")
        assert "kHz" in formats.quality(each, master)
        assert formats.estimate(each, master) > 0


@pytest.mark.parametrize("code", ["MP3_224", "MP3_V3", "AAC_144", "OGG_Q10", "OPUS_104", "WMA_96", "FLAC_16"])
def test_any_grade_in_the_honest_range_may_be_asked_for(code: str) -> None:
    assert formats.is_offered(formats.get(code), STUDIO)
    assert code in codes(formats.grades_for(STUDIO))


@pytest.mark.parametrize(
    "code", ["MP3_V9", "MP3_321", "MP3_8", "AAC_500", "OPUS_129", "OGG_Q11", "FLAC_24", "MP3_V", ""]
)
def test_nothing_else_is_a_format(code: str) -> None:
    with pytest.raises(UnknownFormat):
        formats.get(code)


def test_one_grade_has_one_name_however_it_is_asked_for() -> None:
    assert formats.get("MP3_CBR_224") is formats.get("MP3_224")


@pytest.mark.parametrize(
    ("rate", "channels", "most"),
    [(44100, 2, {"MP3_320", "AAC_320", "WMA_320"}), (22050, 2, {"MP3_160", "AAC_264", "WMA_160"}),
     (22050, 1, {"MP3_160", "AAC_128"})],
)  # fmt: skip
def test_no_bit_rate_is_named_that_the_codec_cannot_reach(rate: int, channels: int, most: set[str]) -> None:
    """The limits are those of MPEG: by sample rate for MP3, by channel and frame for AAC."""
    offered = formats.grades_for(replace(CD, sample_rate=rate, channels=channels))
    for limit in most:
        family, _, kilobits = limit.partition("_")
        steady = [each.kilobits for each in offered if each.steady and each.code.startswith(f"{family}_")]
        assert max(steady) == int(kilobits)


def test_nothing_is_resampled_upwards_but_to_the_next_rate_a_codec_knows() -> None:
    for each in formats.grades_for(STUDIO):
        assert formats.output_rate(each, 96000) <= 96000


def test_a_file_too_large_for_its_kind_is_not_offered() -> None:
    """Three hours of 24/96 are six gigabytes, more than the signed sizes of AIFF and Monkey's Audio."""
    day = replace(STUDIO, samples=3 * 3600 * 96000)
    assert not {"AIFF", "APE"} & codes(formats.offered_for(day))
    assert {"WAV", "FLAC", "WV"} <= codes(formats.offered_for(day))


@pytest.mark.parametrize("container", ["flac", "wav", "aiff", "mp3", "wv", "mov", "ogg"])
def test_the_delivered_file_keeps_the_name_of_its_kind(container: str) -> None:
    assert formats.extension(FORMATS["ORIGINAL"], replace(VORBIS, container=container))


@pytest.mark.parametrize(
    ("rate", "made"), [(44100, 44100), (48000, 48000), (96000, 48000), (88200, 44100), (192000, 48000), (37800, 44100)]
)
def test_mp3_keeps_the_rate_where_it_can_and_halves_it_where_it_cannot(rate: int, made: int) -> None:
    assert formats.output_rate(FORMATS["MP3_V0"], rate) == made


def test_opus_is_48_khz_and_says_so() -> None:
    assert formats.output_rate(FORMATS["OPUS_128"], 44100) == 48000
    assert formats.notes(FORMATS["OPUS_128"], CD) == ["Resampled from 44.1 to 48 kHz, as Opus 128 kbit/s needs."]


def test_lossless_formats_keep_rate_and_depth() -> None:
    assert formats.quality(FORMATS["FLAC"], STUDIO) == "96 kHz, 24 bit, stereo"
    assert formats.notes(FORMATS["FLAC"], STUDIO) == []


def test_sixteen_of_twenty_four_bits_are_never_called_lossless() -> None:
    assert formats.label(FORMATS["FLAC_16"], STUDIO) == "FLAC, dithered to 16 bit"
    assert formats.quality(FORMATS["FLAC_16"], STUDIO) == "96 kHz, 16 bit, stereo"
    assert "with dither" in formats.notes(FORMATS["FLAC_16"], STUDIO)[0]
    assert "FLAC_16" not in codes(formats.offered_for(CD))


def test_a_rate_in_the_name_is_exact_and_any_other_is_about() -> None:
    assert formats.quality(FORMATS["MP3_320"], CD) == "320 kbit/s, 44.1 kHz, stereo"
    assert formats.quality(FORMATS["MP3_V0"], CD) == "about 245 kbit/s, 44.1 kHz, stereo"


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(UnknownFormat, match="OPTIMFROG"):
        formats.get("OPTIMFROG")


@pytest.mark.django_db
def test_a_row_of_a_master_answers_like_its_sound() -> None:
    assert codes(formats.offered_for(make_master())) == codes(formats.offered_for(CD))
    assert codes(formats.offered_for(make_lossy_master())) == codes(formats.offered_for(VORBIS))
