"""Making and finding parties. A name alone identifies nobody outside one label's own catalogue."""

from django.db import IntegrityError, transaction
from django.db.models import Q

from catalog.models import Party, PartyKind
from catalog.slugs import free_slug
from catalog.words import clean, sort_name

VARIOUS = frozenset({"various artists", "various", "va", "v.a.", "v/a", "verschiedene interpreten", "verschiedene"})
_TRIES = 5


def make_party(name: str, *, kind: str = PartyKind.GROUP, url: str = "") -> Party:
    """A new party of this name, with an address of its own even if the name is taken."""
    name = clean(name)
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                return Party.objects.create(
                    name=name, sort_name=sort_name(name), slug=free_slug(Party, name), kind=kind, url=url
                )
        except IntegrityError:
            continue  # another writer took the same slug between look and leap
    return Party.objects.create(name=name, sort_name=sort_name(name), slug=free_slug(Party, name), kind=kind, url=url)


def label_named(name: str) -> Party | None:
    """The organisation of this name that issues music here, if there is one; the oldest, if there are several."""
    return Party.objects.filter(name__iexact=clean(name), kind=PartyKind.ORGANISATION).order_by("pk").first()


def artist_of(label: Party, name: str, *, kind: str = PartyKind.GROUP) -> Party:
    """The party of this name in this label's catalogue, or a new one.

    Equal names at two labels stay two parties until somebody who knows joins them: a wrong merge would show one
    artist's music, and one day pay her money, to another.
    """
    name = clean(name)
    if label.name.casefold() == name.casefold():
        return label
    known = Party.objects.filter(
        Q(credits__recording__label=label)
        | Q(credits__release__label=label)
        | Q(credits__work__recordings__label=label),
        name__iexact=name,
    )
    return known.order_by("pk").first() or make_party(name, kind=kind)
