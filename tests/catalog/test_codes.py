"""Identifiers: real numbers are taken however they are punctuated, and one wrong digit is noticed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.codes import GTIN, IPI, ISNI, ISRC, ISWC, IPIBase
from catalog.errors import CodeError

Kind = type[ISRC | ISWC | GTIN | ISNI | IPI | IPIBase]
REAL: list[tuple[Kind, str, str]] = [
    (ISRC, "US-RC1-76-07839", "USRC17607839"),
    (ISRC, "isrc gb ayE 68 00011", "GBAYE6800011"),
    (ISWC, "T-034.524.680-1", "T0345246801"),
    (ISWC, "ISWC T\u2010101.690.320\u20109", "T1016903209"),
    (GTIN, "4 006381 333931", "4006381333931"),
    (GTIN, "036000291452", "036000291452"),
    (GTIN, "10614141000415", "10614141000415"),
    (ISNI, "0000 0001 2281 955x", "000000012281955X"),
    (ISNI, "ISNI: 0000 0001 2103 2683", "0000000121032683"),
    (IPI, "00052210040", "00052210040"),
    (IPIBase, "I-001068130-6", "I0010681306"),
]
CHECKED = [(kind, bare) for kind, _, bare in REAL if kind is not ISRC]
STRONG = [(kind, bare) for kind, bare in CHECKED if kind not in {ISWC, IPIBase}]  # theirs miss some slips, by design


@pytest.mark.parametrize(("kind", "written", "bare"), REAL)
def test_a_real_number_is_kept_bare(kind: Kind, written: str, bare: str) -> None:
    assert str(kind.parse(written)) == bare


@pytest.mark.parametrize(("kind", "bare"), [(kind, bare) for kind, _, bare in REAL])
def test_the_printed_form_reads_back(kind: Kind, bare: str) -> None:
    assert kind.parse(kind(bare).printed) == kind(bare)


@pytest.mark.parametrize(("kind", "bare"), CHECKED)
def test_no_other_check_digit_fits(kind: Kind, bare: str) -> None:
    assert [check for check in "0123456789X" if _parses(kind, bare[:-1] + check)] == [bare[-1]]


@pytest.mark.parametrize(("kind", "bare"), STRONG)
def test_any_one_mistyped_digit_is_noticed(kind: Kind, bare: str) -> None:
    for place, right in enumerate(bare):
        for wrong in "0123456789":
            if not right.isdigit() or wrong == right:
                continue
            with pytest.raises(CodeError, match="wrong check digit") as refusal:
                kind.parse(bare[:place] + wrong + bare[place + 1 :])
            assert refusal.value.code == "CODE_CHECK_DIGIT"


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (ISRC, ""),
        (ISRC, "US-RC1-76-0783"),
        (ISRC, "12RC17607839"),
        (ISRC, "USRC1760783\uff19"),
        (ISWC, "034.524.680-1"),
        (GTIN, "12345"),
        (GTIN, "٤٠٠٦٣٨١٣٣٣٩٣١"),
        (ISNI, "0000 0001 2281 95X5"),
        (IPI, "52210040"),
    ],
)
def test_a_wrong_form_is_refused_by_name(kind: Kind, written: str) -> None:
    with pytest.raises(CodeError, match=f"is no {kind.NAME}") as refusal:
        kind.parse(written)
    assert refusal.value.code == "CODE_FORM"


def test_a_barcode_is_the_same_with_and_without_leading_zeros() -> None:
    assert GTIN.parse("036000291452").same == GTIN.parse("0036000291452").same


@given(st.text())
def test_any_text_is_a_code_or_a_named_refusal(text: str) -> None:
    for kind in (ISRC, ISWC, GTIN, ISNI, IPI, IPIBase):
        with contextlib.suppress(CodeError):
            assert kind.parse(kind.parse(text).printed) == kind.parse(text)


@given(st.text("0123456789", min_size=9, max_size=9))
def test_exactly_one_check_digit_fits_a_work(digits: str) -> None:
    fitting = [check for check in "0123456789" if _parses(ISWC, f"T{digits}{check}")]
    assert len(fitting) == 1


@given(st.text("0123456789", min_size=15, max_size=15))
def test_exactly_one_check_character_fits_an_identity(digits: str) -> None:
    assert sum(_parses(ISNI, digits + check) for check in "0123456789X") == 1


@given(st.text("0123456789", min_size=12, max_size=12))
def test_a_barcode_agrees_with_stdnum(digits: str) -> None:
    from stdnum import ean

    assert _parses(GTIN, digits + ean.calc_check_digit(digits))


def _parses(kind: Kind, text: str) -> bool:
    try:
        kind.parse(text)
    except CodeError:
        return False
    return True
