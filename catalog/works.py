"""Works: who wrote and publishes them, in which shares, and which society they gave which right.

Shares are exact fractions of the whole work, of each right by itself; together they never come to more than the whole.
A registration gives one work in the order and the codes of the Common Works Registration format (CWR 2.x).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from django.db import transaction

from catalog.codes import IPI, ISWC
from catalog.credits import artist_line
from catalog.errors import MembershipRefused, ShareRefused
from catalog.models import Party, Recording, SocietyMembership, SocietyRight, Work, WorkRole, WorkShare

PUBLISHER_ROLES = frozenset({WorkRole.PUBLISHER, WorkRole.SUB_PUBLISHER, WorkRole.ADMINISTRATOR})
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One party's part in a work, as it is declared. `published_by` is the publisher that stands in for a writer."""

    party: Party
    role: str
    mechanical: Fraction = _NOTHING
    performing: Fraction = _NOTHING
    published_by: Party | None = None


def name_work(work: Work, *, title: str | None = None, iswc: str | None = None) -> Work:
    """Correct a work's title or ISWC; an empty ISWC takes it away. Raises CodeError, ShareRefused."""
    if iswc is not None:
        work.iswc = ISWC.parse(iswc).text if iswc.strip() else None
        if work.iswc and Work.objects.filter(iswc=work.iswc).exclude(pk=work.pk).exists():
            raise ShareRefused(f"{work.iswc} names another work here. Choose that work, or correct the ISWC.")
    if title is not None:
        if not title.strip():
            raise ShareRefused("A work needs a title.")
        work.title = title.strip()
    work.save(update_fields=["title", "iswc"])
    return work


def name_party(party: Party, *, ipi: str) -> Party:
    """Note a writer's or publisher's IPI name number; an empty one takes it away. Raises CodeError."""
    party.ipi = IPI.parse(ipi).text if ipi.strip() else ""
    party.save(update_fields=["ipi"])
    return party


def state_shares(work: Work, lines: Iterable[Line]) -> list[WorkShare]:
    """Put `lines` in place of what was declared about the work before, all of them or none. Raises ShareRefused."""
    lines = list(lines)
    _check(lines)
    with transaction.atomic():
        Work.objects.select_for_update(no_key=True).get(pk=work.pk)
        work.shares.all().delete()
        made = [_row(work, line) for line in lines]
        WorkShare.objects.bulk_create(made)
        publishers = {row.party_id: row for row in made if row.role in PUBLISHER_ROLES}
        linked = []
        for line, row in zip(lines, made, strict=True):
            if line.published_by is not None:
                row.published_by = publishers[line.published_by.pk]
                linked.append(row)
        WorkShare.objects.bulk_update(linked, ["published_by"])
    return made


def _row(work: Work, line: Line) -> WorkShare:
    return WorkShare(
        work=work,
        party=line.party,
        role=str(line.role),
        mechanical_numerator=line.mechanical.numerator,
        mechanical_denominator=line.mechanical.denominator,
        performing_numerator=line.performing.numerator,
        performing_denominator=line.performing.denominator,
    )


def _check(lines: Sequence[Line]) -> None:
    seen = set()
    publishers = {line.party.pk for line in lines if line.role in PUBLISHER_ROLES}
    for line in lines:
        if line.role not in WorkRole.values:
            raise ShareRefused(f"{line.role!r} is no role in a work. Choose one of {', '.join(WorkRole.values)}.")
        if (line.party.pk, line.role) in seen:
            raise ShareRefused(f"{line.party} stands there twice as {WorkRole(line.role).label}. Join the two lines.")
        seen.add((line.party.pk, line.role))
        if not (0 <= line.mechanical <= 1 and 0 <= line.performing <= 1):
            raise ShareRefused(f"The share of {line.party} must lie between nothing and the whole.")
        if line.published_by is not None and line.role in PUBLISHER_ROLES:
            raise ShareRefused(f"{line.party} is a publisher: only a writer is published by somebody.")
        if line.published_by is not None and line.published_by.pk not in publishers:
            raise ShareRefused(f"{line.published_by} is not among the publishers of this work. Add its line.")
    for right, total in (
        ("mechanical", sum((line.mechanical for line in lines), _NOTHING)),
        ("performing", sum((line.performing for line in lines), _NOTHING)),
    ):
        if total > 1:
            raise ShareRefused(f"The {right} shares come to {total}, more than the whole. Correct them.")


def shares_of(works: Collection[int]) -> dict[int, list[WorkShare]]:
    """What is declared about each of these works, in the order in which it was; one statement."""
    found: dict[int, list[WorkShare]] = {work: [] for work in works}
    for share in WorkShare.objects.filter(work__in=works).select_related("party", "published_by").order_by("pk"):
        found[share.work_id].append(share)
    return found


# -- Societies ---------------------------------------------------------------------------------------------------------


def join_society(
    party: Party,
    *,
    society: Party,
    right: str = SocietyRight.MECHANICAL,
    territory_mode: str = "WORLD_EXCEPT",
    territories: Iterable[str] = (),
    joined_on: date | None = None,
    left_on: date | None = None,
    online_excluded: bool = False,
) -> SocietyMembership:
    """Note that `party` gave the society a right. One right is with one society only, in one country at one time.

    Raises MembershipRefused.
    """
    found = SocietyMembership(
        party=party,
        society=society,
        right=str(right),
        territory_mode=territory_mode,
        territories=sorted({code.strip().upper() for code in territories}),
        joined_on=joined_on,
        left_on=left_on,
        online_excluded=online_excluded,
    )
    if right not in SocietyRight.values:
        raise MembershipRefused(f"{right!r} is no right. Choose one of {', '.join(SocietyRight.values)}.")
    if party.pk == society.pk:
        raise MembershipRefused("A society is no member of itself.")
    if territory_mode not in {"ONLY", "WORLD_EXCEPT"} or (territory_mode == "ONLY" and not found.territories):
        raise MembershipRefused("Name at least one country, or say WORLD_EXCEPT for the whole world.")
    if joined_on and left_on and left_on < joined_on:
        raise MembershipRefused("The member left before it joined. Correct the dates.")
    with transaction.atomic():
        Party.objects.select_for_update(no_key=True).get(pk=party.pk)
        _refuse_overlap(found, party.memberships.filter(right=found.right).select_related("society"))
        found.save()
    return found


def memberships_of(parties: Collection[int]) -> dict[int, list[SocietyMembership]]:
    """The mandates of each of these parties; one statement."""
    found: dict[int, list[SocietyMembership]] = {party: [] for party in parties}
    rows = SocietyMembership.objects.filter(party__in=parties).select_related("society").order_by("pk")
    for membership in rows:
        found[membership.party_id].append(membership)
    return found


def _refuse_overlap(new: SocietyMembership, others: Iterable[SocietyMembership]) -> None:
    for other in others:
        apart = _ends_before(new, other) or _ends_before(other, new)
        if not apart and _share_a_country(new, other):
            raise MembershipRefused(
                f"{new.party} has given this right to {other.society} for some of these countries at that time. "
                "Note when that ended, or name other countries."
            )


def _ends_before(one: SocietyMembership, other: SocietyMembership) -> bool:
    return one.left_on is not None and other.joined_on is not None and one.left_on < other.joined_on


def _share_a_country(one: SocietyMembership, other: SocietyMembership) -> bool:
    """Two complements always share one: no list of exceptions names every country."""
    mine, theirs = set(one.territories), set(other.territories)
    if one.territory_mode == "ONLY":
        return bool(mine & theirs if other.territory_mode == "ONLY" else mine - theirs)
    return bool(theirs - mine) if other.territory_mode == "ONLY" else True


# -- Registration ------------------------------------------------------------------------------------------------------

_HUNDREDTHS = 10_000


@dataclass(frozen=True, slots=True)
class RegisteredParty:
    """A writer's or publisher's line (SWR, SPU). Shares are hundredths of a percent; societies are parties by name."""

    sequence: int
    party: str
    name: str
    role: str
    ipi: str
    performing_society: str
    performing_share: int
    mechanical_society: str
    mechanical_share: int
    published_by: int = 0


@dataclass(frozen=True, slots=True)
class RegisteredRecording:
    """A recording of the work (REC) and who performs it (PER)."""

    isrc: str
    title: str
    performer: str
    label: str


@dataclass(frozen=True, slots=True)
class Registration:
    """One work as it would be registered (NWR): publishers before writers, each with a sequence of its own."""

    submitter_number: str
    title: str
    iswc: str
    publishers: tuple[RegisteredParty, ...]
    writers: tuple[RegisteredParty, ...]
    recordings: tuple[RegisteredRecording, ...]


def registration(work: Work, *, on: date) -> Registration:
    """The work as it stands, with the societies of its parties on that day."""
    shares = shares_of([work.pk])[work.pk]
    societies = _societies({share.party_id for share in shares}, on)
    performing = hundredths([share.performing for share in shares])
    mechanical = hundredths([share.mechanical for share in shares])
    publishers = [share for share in shares if share.role in PUBLISHER_ROLES]
    writers = [share for share in shares if share.role not in PUBLISHER_ROLES]
    place = {share.pk: number for number, share in enumerate(publishers, start=1)}
    lines = {
        share.pk: RegisteredParty(
            sequence=(place.get(share.pk) or writers.index(share) + 1),
            party=str(share.party.public_id),
            name=share.party.name,
            role=share.role,
            ipi=share.party.ipi,
            performing_society=societies.get((share.party_id, SocietyRight.PERFORMING.value), ""),
            performing_share=performing[at],
            mechanical_society=societies.get((share.party_id, SocietyRight.MECHANICAL.value), ""),
            mechanical_share=mechanical[at],
            published_by=place.get(share.published_by_id or 0, 0),
        )
        for at, share in enumerate(shares)
    }
    recordings = Recording.objects.filter(works=work).select_related("label").with_credits().order_by("pk")
    return Registration(
        submitter_number=work.public_id.hex[:14].upper(),
        title=work.title,
        iswc=work.iswc or "",
        publishers=tuple(lines[share.pk] for share in publishers),
        writers=tuple(lines[share.pk] for share in writers),
        recordings=tuple(
            RegisteredRecording(row.isrc or "", row.full_title, artist_line(row), row.label.name) for row in recordings
        ),
    )


def _societies(parties: Collection[int], on: date) -> Mapping[tuple[int, str], str]:
    """The society of each party for each right on a day; the first that was noted, where countries differ."""
    found: dict[tuple[int, str], str] = {}
    for memberships in memberships_of(parties).values():
        for each in memberships:
            begun = each.joined_on is None or each.joined_on <= on
            if begun and (each.left_on is None or on <= each.left_on):
                found.setdefault((each.party_id, each.right), each.society.name)
    return found


def hundredths(shares: Sequence[Fraction]) -> list[int]:
    """Shares as hundredths of a percent: the largest remainders are rounded up, so that the whole stays the whole."""
    exact = [share * _HUNDREDTHS for share in shares]
    found = [int(each) for each in exact]
    left = int(sum(exact, _NOTHING)) - sum(found)
    by_remainder = sorted(range(len(exact)), key=lambda at: (found[at] - exact[at], at))
    for at in by_remainder[:left]:
        found[at] += 1
    return found
