"""What a label says about works: who wrote and publishes them, in which shares, and which society holds what.

A label may say it about works that nobody else issues; of a work that other labels record too, the store's staff keep
the facts, because one label's word would move another's clearance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog import parties, works
from catalog.models import Party, Recording, SocietyMembership, Work, WorkShare
from catalog.works import Line
from licensing import affected, clearance, dossiers
from licensing.territories import TerritorySet
from store import submissions
from store.errors import RecordRefused


@dataclass(frozen=True)
class Said:
    """One party's part as the label wrote it down. `published_by` is the name of another line."""

    name: str
    ipi: str
    role: str
    mechanical: Fraction
    performing: Fraction
    published_by: str = ""


def may_state(label: Party, work: Work) -> bool:
    """Whether the label speaks for this work: it is heard in its recordings and in nobody else's."""
    heard = Recording.objects.filter(works=work)
    return heard.filter(label=label).exists() and not heard.filter(~Q(label=label)).exists()


def state_work(label: Party, work: Work, said: Iterable[Said], *, title: str, iswc: str, actor: str) -> list[WorkShare]:
    """Put title, code and shares in place of what was declared about the work, all of it or nothing.

    Raises RecordRefused, ShareRefused, CodeError.
    """
    if not may_state(label, work):
        raise RecordRefused("Other labels record this work too. Tell the store, and its staff will look at both.")
    listed = list(said)
    hashes = dossiers.hashes_of(affected.by_work(work.pk).recordings)
    with transaction.atomic():
        works.name_work(work, title=title, iswc=iswc)
        found = {each.name.casefold(): submissions.licensor_of(label, each.name, each.ipi) for each in listed}
        made = works.state_shares(
            work,
            [
                Line(
                    party=found[each.name.casefold()],
                    role=each.role,
                    mechanical=each.mechanical,
                    performing=each.performing,
                    published_by=found.get(each.published_by.casefold()) if each.published_by else None,
                )
                for each in listed
            ],
        )
        clearance.decide_again(affected.by_work(work.pk), at=timezone.now(), actor=actor, hashes=hashes)
    return made


def join_society(
    label: Party,
    work: Work,
    party: Party,
    *,
    society: str,
    right: str,
    territories: TerritorySet,
    joined_on: date | None,
    left_on: date | None,
    online_excluded: bool,
) -> SocietyMembership:
    """Note a writer's or publisher's mandate to a society; a trigger has all works of that party looked at again.

    Raises RecordRefused, MembershipRefused.
    """
    if not may_state(label, work) or not work.shares.filter(party=party).exists():
        raise RecordRefused("This work does not name that party, or other labels record it too.")
    with transaction.atomic():
        return works.join_society(
            party, society=_society(society), right=right, territory_mode=territories.mode,
            territories=territories.codes, joined_on=joined_on, left_on=left_on, online_excluded=online_excluded,
        )  # fmt: skip


def _society(name: str) -> Party:
    """The society of that name, or a new one: societies are few, and their names are their own."""
    known = Party.objects.filter(name__iexact=name.strip(), kind="ORGANISATION")
    return known.filter(members__isnull=False).order_by("pk").first() or parties.make_party(name, kind="ORGANISATION")
