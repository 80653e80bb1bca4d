"""The last part of a public page's address: readable, unique, and never changed once made."""

import secrets
from collections.abc import Iterator

from django.utils.text import slugify

from catalog.models import SLUG_LENGTH, Party, Release

_ROOM = SLUG_LENGTH - 16  # for what tells two of one name apart


def free_slug(model: type[Party | Release], *names: str) -> str:
    """A slug nobody has yet, from the first of `names`, from all of them together, or with a number behind.

    Names that leave nothing in ASCII (Cyrillic, Japanese) get the kind of thing and a random tail. Two at once may be
    given the same one: the column is unique, so the second must try again.
    """
    candidates = list(_candidates(model, names))
    taken = set(model.objects.filter(slug__in=candidates).values_list("slug", flat=True))
    return next(slug for slug in candidates if slug not in taken)


def _candidates(model: type[Party | Release], names: tuple[str, ...]) -> Iterator[str]:
    first = slugify(names[0])[:_ROOM].strip("-")
    if first:
        yield first
        together = slugify(" ".join(names))[:_ROOM].strip("-")
        if together != first:
            yield together
        yield from (f"{first}-{number}" for number in range(2, 20))
    yield f"{first or model.__name__.lower()}-{secrets.token_hex(5)}"
