"""Full text over releases, tracks, artists and labels.

Words match in any order, without accents or case; the beginning of a word is enough; all of them must be found among
a thing's title, artists, label and codes. Any part of a title counts too, so that scripts without blanks can be
searched. Where nothing is found, the name most like the query is proposed. The number of statements is fixed.
"""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramSimilarity, TrigramWordSimilarity
from django.db import connection, transaction
from django.db.models import Case, Exists, F, FloatField, OuterRef, Prefetch, Q, QuerySet, Value, When

from catalog.models import Credit, CreditRole, Party, Plain, Recording, Release, Track

QUERY_LENGTH = 200
WORDS = 12
LIKENESS = 0.35  # of 1; below it a proposal is noise
SHORTEST_PART = 3  # a part of a Latin title; shorter ones are in nearly all of them


@dataclass(frozen=True, slots=True)
class Results:
    """What was found, best first. `suggestion` is set only where nothing was."""

    query: str
    releases: list[Release] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    artists: list[Party] = field(default_factory=list)
    labels: list[Party] = field(default_factory=list)
    suggestion: str = ""

    @property
    def total(self) -> int:
        return len(self.releases) + len(self.tracks) + len(self.artists) + len(self.labels)


def search(query: str, *, limit: int = 20, among: QuerySet[Release] | None = None) -> Results:
    """The best `limit` of each kind.

    `among` is the releases that may be shown; tracks, artists and labels are then found only where one of them has
    theirs. Releases come with credits and artworks, tracks with recording, credits and release.
    """
    query = " ".join(query.replace("\0", " ").split())[:QUERY_LENGTH]
    plain = _plain(query)
    if not plain:
        return Results(query)
    shown = Release.objects.all() if among is None else among
    found = Results(
        query,
        releases=list(_releases(plain, shown)[:limit]),
        tracks=_tracks(plain, shown, limit=limit),
        artists=list(_artists(plain, shown)[:limit]),
        labels=list(_labels(plain, shown)[:limit]),
    )
    return found if found.total else Results(query, suggestion=_nearest(plain, shown))


def _plain(text: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT catalog_plain(%s)", [text])
        (plain,) = cursor.fetchone()
    return str(plain)


def _found(rows: QuerySet[Any], plain: str, *, title: str) -> QuerySet[Any]:
    """Those of `rows` that match, best first: the whole title, its beginning, then PostgreSQL's rank."""
    words = " & ".join(f"'{_quoted(word)}':*" for word in plain.split()[:WORDS])
    asked = SearchQuery(words, search_type="raw", config="simple")
    matches = Q(search_vector=asked)
    if len(plain) >= SHORTEST_PART or not plain.isascii():
        matches |= Q(plain_title__contains=plain)
    bonus = Case(
        When(plain_title=plain, then=Value(2.0)),
        When(plain_title__startswith=plain, then=Value(1.0)),
        default=Value(0.0),
        output_field=FloatField(),
    )
    found: QuerySet[Any] = rows.annotate(plain_title=Plain(title)).filter(matches)
    ranked: QuerySet[Any] = found.annotate(score=SearchRank(F("search_vector"), asked) + bonus)
    return ranked.order_by("-score", title, "pk")


def _quoted(word: str) -> str:
    """A word inside a quoted tsquery term, where only these two characters mean anything."""
    return word.replace("\\", "\\\\").replace("'", "''")


def _releases(plain: str, shown: QuerySet[Release]) -> QuerySet[Release]:
    credits_ = Prefetch("credits", Credit.objects.select_related("party"))
    found = _found(Release.objects.filter(pk__in=_keys(shown)), plain, title="title")
    return found.select_related("label").prefetch_related(credits_, "artworks")


def _tracks(plain: str, shown: QuerySet[Release], *, limit: int) -> list[Track]:
    """Recordings that match, each as the track of the release it came out on first."""
    on_sale = Track.objects.filter(recording=OuterRef("pk"), release__in=_keys(shown))
    found = _found(Recording.objects.with_credits().filter(Exists(on_sale)), plain, title="title")[:limit]
    recordings = {recording.pk: recording for recording in found}
    tracks = (
        Track.objects.filter(recording__in=recordings, release__in=_keys(shown))
        .order_by("recording_id", "release_id")
        .distinct("recording_id")
        .select_related("release__label")
        .prefetch_related("release__artworks")
    )
    by_recording = {track.recording_id: track for track in tracks}
    for key, track in by_recording.items():
        track.recording = recordings[key]
    return [by_recording[key] for key in recordings if key in by_recording]


def _artists(plain: str, shown: QuerySet[Release]) -> QuerySet[Party]:
    roles = [CreditRole.MAIN_ARTIST, CreditRole.FEATURED_ARTIST, CreditRole.REMIXER]
    theirs = Credit.objects.filter(party=OuterRef("pk"), role__in=roles)
    on_release = theirs.filter(release__in=_keys(shown))
    on_track = theirs.filter(recording__tracks__release__in=_keys(shown))
    return _found(Party.objects.filter(Exists(on_release) | Exists(on_track)), plain, title="name")


def _labels(plain: str, shown: QuerySet[Release]) -> QuerySet[Party]:
    issues = Exists(Release.objects.filter(label=OuterRef("pk"), pk__in=_keys(shown)))
    return _found(Party.objects.filter(issues), plain, title="name")


def _keys(shown: QuerySet[Release]) -> QuerySet[Release]:
    return shown.order_by().values("pk")  # type: ignore[return-value]


def _nearest(plain: str, shown: QuerySet[Release]) -> str:
    """The title or name most like the query, or a part of it; empty where none is like it."""
    on_sale = Track.objects.filter(recording=OuterRef("pk"), release__in=_keys(shown))
    theirs = Credit.objects.filter(party=OuterRef("pk"))
    credited = theirs.filter(Q(release__in=_keys(shown)) | Q(recording__tracks__release__in=_keys(shown)))
    titles = _like(Release.objects.filter(pk__in=_keys(shown)), plain, title="title")
    tracks = _like(Recording.objects.filter(Exists(on_sale)), plain, title="title")
    artists = _like(Party.objects.filter(Exists(credited)), plain, title="name")
    with transaction.atomic(), connection.cursor() as cursor:
        # the operator's threshold, for this transaction: a lookup by function could not use the trigram indexes
        cursor.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", [str(LIKENESS)])
        near = titles.union(tracks, artists).order_by("-likeness", "shown_as").first()
    return str(near["shown_as"]) if near else ""


def _like(rows: QuerySet[Any], plain: str, *, title: str) -> QuerySet[Any]:
    near: QuerySet[Any] = rows.annotate(plain_title=Plain(title)).filter(plain_title__trigram_word_similar=plain)
    likeness = TrigramWordSimilarity(plain, "plain_title") + TrigramSimilarity("plain_title", plain)
    ranked: QuerySet[Any] = near.annotate(shown_as=F(title), likeness=likeness)
    return ranked.order_by().values("shown_as", "likeness")
