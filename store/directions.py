"""Letters of direction: on whose behalf a payee is paid, from which day. Ended and followed, never edited."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from django.db import transaction
from django.db.models import Q

from licensing.models import RightsHolder
from payments.models import Payee
from store.errors import LetterRefused
from store.models import LetterOfDirection
from store.royalties import Direction, Layer

LAYERS: tuple[Layer, Layer] = ("RECORDING", "WORK")


def direct(
    holder: RightsHolder,
    *,
    payee: Payee,
    starts_on: date,
    signed_by: str,
    share: Fraction = Fraction(1),
    layer: str = "",
) -> LetterOfDirection:
    """Record that `payee` is paid `share` of what `holder` is owed from a day on; blank `layer` means both.

    Refused where on any day from then on the holder's letters would give away more than the whole.
    """
    if not 0 < share <= 1:
        raise LetterRefused("A letter of direction gives a share above nought and at most the whole.")
    letter = LetterOfDirection(
        holder=holder,
        payee=payee,
        layer=layer,
        share_numerator=share.numerator,
        share_denominator=share.denominator,
        starts_on=starts_on,
        signed_by=signed_by,
    )
    with transaction.atomic():
        RightsHolder.objects.select_for_update(no_key=True).get(pk=holder.pk)  # one letter at a time per holder
        standing = list(LetterOfDirection.objects.filter(holder=holder).filter(_not_over_by(starts_on)))
        for one in LAYERS:
            for day in {starts_on, *(other.starts_on for other in standing if other.starts_on > starts_on)}:
                given = sum((_share(other) for other in [*standing, letter] if _holds(other, one, day)), Fraction(0))
                if given > 1:
                    raise LetterRefused(
                        f"{holder} would give away more than the whole of the {one.lower()} layer on {day}. "
                        "End the earlier letter first."
                    )
        letter.save()
    return letter


def end(letter: LetterOfDirection, *, until: date) -> LetterOfDirection:
    """End a letter; `until` is the first day on which it no longer holds. A letter is ended once."""
    with transaction.atomic():
        letter = LetterOfDirection.objects.select_for_update().get(pk=letter.pk)
        if letter.until is not None:
            raise LetterRefused(f"This letter already ends on {letter.until}.")
        letter.until = max(until, letter.starts_on)
        letter.save(update_fields=["until"])
    return letter


def in_force(holders: Iterable[int], *, on: date) -> dict[tuple[int, Layer], list[Direction]]:
    """The letters that hold on that day, by holder and layer, as the split wants them. One query."""
    found: dict[tuple[int, Layer], list[Direction]] = {}
    letters = LetterOfDirection.objects.filter(_not_over_by(on), holder_id__in=set(holders), starts_on__lte=on)
    for letter in letters.order_by("pk"):
        for layer in LAYERS:
            if letter.layer in ("", layer):
                direction = Direction(letter.payee_id, _share(letter))
                found.setdefault((letter.holder_id, layer), []).append(direction)
    return found


def _not_over_by(day: date) -> Q:
    return Q(until__isnull=True) | Q(until__gt=day)


def _share(letter: LetterOfDirection) -> Fraction:
    return Fraction(letter.share_numerator, letter.share_denominator)


def _holds(letter: LetterOfDirection, layer: Layer, day: date) -> bool:
    begun = letter.starts_on <= day
    return letter.layer in ("", layer) and begun and (letter.until is None or day < letter.until)
