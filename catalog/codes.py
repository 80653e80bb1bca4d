"""The trade's identifiers as values that refuse to be wrong. Pure.

`X.parse(text)` takes what people write (hyphens, dots, blanks, small letters, the name of the code in front) and gives
the bare form that we keep; `printed` is the form for people. A wrong form raises CodeError with the code CODE_FORM:
the field is of no use. A wrong check digit raises CODE_CHECK_DIGIT: look at it, real deliveries are full of them.
No identifier proves who owns a right.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Self
from uuid import UUID

from catalog.errors import CodeError

_NOISE = re.compile(r"[\s\u00a0.\-\u2010-\u2015\u2212]")


@dataclass(frozen=True, slots=True, order=True)
class _Code:
    text: str

    NAME: ClassVar[str]
    FORM: ClassVar[re.Pattern[str]]
    EXAMPLE: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The code in `text`, however it is punctuated. Raises CodeError."""
        bare = _NOISE.sub("", text).upper().removeprefix(cls.NAME.upper()).lstrip(":")
        return cls(bare)

    def __post_init__(self) -> None:
        if not self.FORM.fullmatch(self.text):
            raise CodeError("CODE_FORM", f"“{self.text[:40]}” is no {self.NAME}; one looks like {self.EXAMPLE}.")
        if not self._checks():
            raise CodeError(
                "CODE_CHECK_DIGIT", f"{self.NAME} {self.text} has a wrong check digit: one of its digits is mistyped."
            )

    def __str__(self) -> str:
        return self.text

    @property
    def printed(self) -> str:
        """The form for people and paper."""
        return self.text

    def _checks(self) -> bool:
        return True


class ISRC(_Code):
    """ISO 3901, names one recording: prefix (2 letters, 3 letters or digits), year, number. It has no check digit."""

    NAME = "ISRC"
    FORM = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
    EXAMPLE = "DE-A12-24-00001"

    @property
    def printed(self) -> str:
        return "-".join((self.text[:2], self.text[2:5], self.text[5:7], self.text[7:]))


class ISWC(_Code):
    """ISO 15707, names one work: (1 + sum of i*d_i + check) mod 10 = 0, i from 1 to 9."""

    NAME = "ISWC"
    FORM = re.compile(r"T[0-9]{10}")
    EXAMPLE = "T-034.524.680-1"

    @property
    def printed(self) -> str:
        return f"T-{self.text[1:4]}.{self.text[4:7]}.{self.text[7:10]}-{self.text[10]}"

    def _checks(self) -> bool:
        return _weighed(self.text[1:], start=1)


class GTIN(_Code):
    """UPC-A (12 digits), EAN-13 or GTIN-14: a release's barcode. Weights 3, 1 from the right, mod 10."""

    NAME = "GTIN"
    FORM = re.compile(r"[0-9]{12,14}")
    EXAMPLE = "4006381333931"

    @property
    def same(self) -> tuple[str, ...]:
        """Every way to write this number with 12, 13 or 14 digits: leading zeros name nothing else."""
        number = self.text.lstrip("0")
        return tuple(number.zfill(length) for length in (12, 13, 14) if len(number) <= length)

    def _checks(self) -> bool:
        return sum(int(d) * (3, 1)[i % 2] for i, d in enumerate(reversed(self.text[:-1]), start=0)) % 10 == (
            -int(self.text[-1]) % 10
        )


class ISNI(_Code):
    """ISO 27729, names one public identity: 15 digits and an ISO 7064 mod 11,2 check that may be X."""

    NAME = "ISNI"
    FORM = re.compile(r"[0-9]{15}[0-9X]")
    EXAMPLE = "0000 0001 2281 955X"

    @property
    def printed(self) -> str:
        return " ".join(self.text[i : i + 4] for i in range(0, 16, 4))

    def _checks(self) -> bool:
        total = 0
        for digit in self.text[:-1]:
            total = (total + int(digit)) * 2
        return "0123456789X"[(12 - total % 11) % 11] == self.text[-1]


class IPI(_Code):
    """A writer's or publisher's name number (once CAE): 9 digits weighed 10 to 2, two check digits mod 101."""

    NAME = "IPI"
    FORM = re.compile(r"[0-9]{11}")
    EXAMPLE = "00052210040"

    @property
    def printed(self) -> str:
        return f"{self.text[:9]}.{self.text[9:]}"

    def _checks(self) -> bool:
        total = sum(int(digit) * weight for digit, weight in zip(self.text[:9], range(10, 1, -1), strict=True))
        return (101 - total % 101) % 100 == int(self.text[9:])


class IPIBase(_Code):
    """The number of the person behind the names: as an ISWC, with 2 in place of 1."""

    NAME = "IPI base number"
    FORM = re.compile(r"I[0-9]{10}")
    EXAMPLE = "I-001068130-6"

    @property
    def printed(self) -> str:
        return f"I-{self.text[1:10]}-{self.text[10]}"

    def _checks(self) -> bool:
        return _weighed(self.text[1:], start=2)


class MusicBrainzId(_Code):
    """A UUID by which MusicBrainz knows a recording, a release or whoever made it; the bare form is its 32 digits."""

    NAME = "MusicBrainz id"
    FORM = re.compile(r"[0-9A-F]{32}")
    EXAMPLE = "0383dadf-2a4e-4d10-a46a-e9e041da8eb3"

    @property
    def printed(self) -> str:
        return str(self.uuid)

    @property
    def uuid(self) -> UUID:
        return UUID(self.text)


def is_public_id(text: str) -> bool:
    """Whether `text` from outside reads as one of our own public ids."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _weighed(digits: str, *, start: int) -> bool:
    """Nine digits weighed 1 to 9 and the check digit, on top of `start`, make a whole number of tens."""
    total = start + sum(i * int(digit) for i, digit in enumerate(digits[:9], start=1))
    return (total + int(digits[9])) % 10 == 0
