"""Roles, and how an artist line reads."""

from collections.abc import Iterable, Sequence

from catalog.models import Credit, CreditRole, Party, Recording, Release, Work

VARIOUS_ARTISTS = "Various artists"
WRITERS = (CreditRole.COMPOSER, CreditRole.LYRICIST)


def names(subject: Recording | Release | Work, *roles: str) -> list[str]:
    """The credited names in these roles, in order. Reads prefetched credits (`with_credits()`), so asks nothing."""
    ranked = sorted((credit for credit in subject.credits.all() if credit.role in roles), key=_place)
    return [credit.name for credit in ranked]


def artists(subject: Recording | Release) -> list[Party]:
    """The main artists as parties, for links."""
    return parties_as(subject, CreditRole.MAIN_ARTIST)


def parties_as(subject: Recording | Release, role: str) -> list[Party]:
    credits_ = sorted((c for c in subject.credits.all() if c.role == role), key=_place)
    return [credit.party for credit in credits_]


def artist_line(subject: Recording | Release) -> str:
    """How the artists stand on the sleeve: "Ana, Ben & Cy feat. Dora".

    A release that names no artist of its own has various; a recording without any is an empty line, which
    `catalog.releases.problems` reports.
    """
    main = names(subject, CreditRole.MAIN_ARTIST)
    if not main and isinstance(subject, Release):
        return VARIOUS_ARTISTS
    return _sleeve(main, names(subject, CreditRole.FEATURED_ARTIST))


def sleeve(credited: Iterable[tuple[str, str]]) -> str:
    """The artist line of a recording from its credits as `(role, name)`, in their order."""
    credited = list(credited)
    main, featured = (
        [name for as_, name in credited if as_ == role] for role in (CreditRole.MAIN_ARTIST, CreditRole.FEATURED_ARTIST)
    )
    return _sleeve(main, featured)


def _sleeve(main: Sequence[str], featured: Sequence[str]) -> str:
    line = join(main)
    return f"{line} feat. {join(featured)}" if line and featured else line or join(featured)


def join(parts: Sequence[str]) -> str:
    return " & ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def add_credit(subject: Recording | Release | Work, party: Party, *, role: str, credited_as: str = "") -> Credit:
    """Credit `party` behind those already there; doing so twice changes nothing."""
    key = {Recording: "recording", Release: "release", Work: "work"}[type(subject)]
    credit, _ = Credit.objects.get_or_create(
        **{key: subject},
        party=party,
        role=role,
        defaults={
            "credited_as": credited_as if credited_as != party.name else "",
            "position": subject.credits.filter(role=role).count() + 1,
        },
    )
    return credit


def writers(recording: Recording, *roles: str) -> list[str]:
    """Composers and lyricists of the recording's works, or those of other roles, each once."""
    found: dict[str, None] = {}
    for work in recording.works.all():
        found.update(dict.fromkeys(names(work, *(roles or WRITERS))))
    return list(found)


def _place(credit: Credit) -> tuple[int, int]:
    return credit.position, credit.pk or 0
