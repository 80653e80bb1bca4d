"""Letters of direction: on whose behalf a payee is paid, from which day. Ended and followed, never edited.

A letter is the holder's in general, or about one release, or about one recording; the most specific that there are
count alone. A split sets several letters of one scope at once, exactly the whole, and ends those before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from catalog.models import Recording, Release
from licensing.models import RightsHolder
from payments.models import Payee
from store.errors import LetterRefused
from store.models import LetterOfDirection
from store.royalties import Direction, Layer

LAYERS: tuple[Layer, Layer] = ("RECORDING", "WORK")
WHOLE = Fraction(1)


@dataclass(frozen=True)
class Scope:
    """What letters are about: one recording, one release, or all that the holder is owed."""

    release: Release | None = None
    recording: Recording | None = None

    def __post_init__(self) -> None:
        if self.release is not None and self.recording is not None:
            raise LetterRefused("A letter is about one release or about one recording, not about both.")

    def letters(self, holder: RightsHolder) -> QuerySet[LetterOfDirection]:
        return LetterOfDirection.objects.filter(holder=holder, release=self.release, recording=self.recording)


ALL = Scope()


@dataclass(frozen=True)
class Part:
    """One payee's part of a split."""

    payee: Payee
    share: Fraction


def direct(
    holder: RightsHolder,
    *,
    payee: Payee,
    starts_on: date,
    signed_by: str,
    share: Fraction = WHOLE,
    layer: str = "",
    scope: Scope = ALL,
) -> LetterOfDirection:
    """Record that `payee` is paid `share` of what `holder` is owed from a day on; blank `layer` means both.

    Refused where on any day from then on the holder's letters of that scope would give away more than the whole.
    """
    if not 0 < share <= 1:
        raise LetterRefused("A letter of direction gives a share above nought and at most the whole.")
    if not signed_by.strip():
        raise LetterRefused("A letter of direction is signed. Say by whom.")
    letter = LetterOfDirection(
        holder=holder,
        payee=payee,
        layer=layer,
        share_numerator=share.numerator,
        share_denominator=share.denominator,
        starts_on=starts_on,
        signed_by=signed_by,
        release=scope.release,
        recording=scope.recording,
    )
    with transaction.atomic():
        RightsHolder.objects.select_for_update(no_key=True).get(pk=holder.pk)  # one letter at a time per holder
        standing = list(scope.letters(holder).filter(_not_over_by(starts_on)))
        for one in LAYERS:
            for day in {starts_on, *(other.starts_on for other in standing if other.starts_on > starts_on)}:
                given = sum((share_of(other) for other in [*standing, letter] if _holds(other, one, day)), Fraction(0))
                if given > 1:
                    raise LetterRefused(
                        f"{holder} would give away more than the whole of the {one.lower()} layer on {day}. "
                        "End the earlier letter first."
                    )
        letter.save()
    return letter


def divide(
    holder: RightsHolder,
    *,
    parts: Sequence[Part],
    starts_on: date,
    signed_by: str,
    layer: str = "",
    scope: Scope = ALL,
) -> list[LetterOfDirection]:
    """Divide what `holder` is owed in a scope among several payees from a day on; earlier letters of it end that day.

    Refused where the parts are not exactly the whole, a payee is named twice, or the day lies behind us: what was sold
    keeps the split of its day. A letter for both layers goes on for the layer that is not divided.
    """
    total = sum((part.share for part in parts), Fraction(0))
    if total != 1:
        raise LetterRefused(f"The parts come to {in_percent(total)} of the whole. They must be exactly 100%.")
    if len({part.payee.pk for part in parts}) != len(parts):
        raise LetterRefused("Somebody is named twice. Add their parts up.")
    if starts_on < timezone.now().date():
        raise LetterRefused("A split begins today or later: what was sold before keeps the split of its day.")
    with transaction.atomic():
        RightsHolder.objects.select_for_update(no_key=True).get(pk=holder.pk)
        for old in scope.letters(holder).filter(_not_over_by(starts_on)):
            _make_room(old, layer, starts_on=starts_on, signed_by=signed_by, scope=scope)
        return [
            direct(
                holder,
                payee=part.payee,
                starts_on=starts_on,
                signed_by=signed_by,
                share=part.share,
                layer=layer,
                scope=scope,
            )
            for part in parts
        ]


def _make_room(old: LetterOfDirection, layer: str, *, starts_on: date, signed_by: str, scope: Scope) -> None:
    if layer and old.layer not in ("", layer):
        return
    if old.until is not None:
        raise LetterRefused(f"{old.payee} is paid until {old.until} by an earlier letter. Begin on that day or later.")
    ended = end(old, until=starts_on)
    if layer and not old.layer:
        other = "WORK" if layer == "RECORDING" else "RECORDING"
        direct(
            old.holder,
            payee=old.payee,
            starts_on=max(starts_on, ended.starts_on),
            signed_by=signed_by,
            share=share_of(old),
            layer=other,
            scope=scope,
        )


def end(letter: LetterOfDirection, *, until: date) -> LetterOfDirection:
    """End a letter; `until` is the first day on which it no longer holds. A letter is ended once."""
    with transaction.atomic():
        letter = LetterOfDirection.objects.select_for_update().get(pk=letter.pk)
        if letter.until is not None:
            raise LetterRefused(f"This letter already ends on {letter.until}.")
        letter.until = max(until, letter.starts_on)
        letter.save(update_fields=["until"])
    return letter


def in_force(
    holders: Iterable[int], *, on: date, recordings: Iterable[int] = (), releases: Iterable[int] = ()
) -> dict[tuple[int, Layer], list[Direction]]:
    """The letters that hold on that day, by holder and layer, as the split wants them. One query.

    Those in general, and those about these recordings and releases; which of them count, `royalties` says.
    """
    found: dict[tuple[int, Layer], list[Direction]] = {}
    letters = LetterOfDirection.objects.filter(
        _not_over_by(on),
        Q(release=None, recording=None) | Q(recording__in=set(recordings)) | Q(release__in=set(releases)),
        holder_id__in=set(holders),
        starts_on__lte=on,
    )
    for letter in letters.order_by("pk"):
        for layer in LAYERS:
            if letter.layer in ("", layer):
                direction = Direction(letter.payee_id, share_of(letter), letter.release_id, letter.recording_id)
                found.setdefault((letter.holder_id, layer), []).append(direction)
    return found


def share_of(letter: LetterOfDirection) -> Fraction:
    return Fraction(letter.share_numerator, letter.share_denominator)


def in_percent(share: Fraction) -> str:
    """A share as people write it: in percent where that is exact with six decimals, else as a fraction."""
    millionths = share * 100 * 10**6
    if millionths.denominator != 1:
        return str(share)
    whole, rest = divmod(int(millionths), 10**6)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".") + "%"


def _not_over_by(day: date) -> Q:
    return Q(until__isnull=True) | Q(until__gt=day)


def _holds(letter: LetterOfDirection, layer: Layer, day: date) -> bool:
    begun = letter.starts_on <= day
    return letter.layer in ("", layer) and begun and (letter.until is None or day < letter.until)
