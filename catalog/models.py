"""Facts about music: who made it, what was written, what was recorded, and on what it was issued.

All of it is true whether or not anybody sells it: no price, no permission and no audio file is known here. MusicBrainz
ids are what deliveries said, not unique: labels name the same things, and may err. The search
vectors are kept current by database triggers (migration 0002), so they hold for bulk writes and raw SQL too.
"""

import uuid
from fractions import Fraction
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Upper
from django.utils import timezone

TITLE_LENGTH = 500
SLUG_LENGTH = 120


def artwork_storage() -> Storage:
    return storages["artwork"]


class Plain(Func):
    """Text as search compares it: without accents, case or punctuation (`catalog_plain` in the database)."""

    function = "catalog_plain"
    output_field = models.TextField()


class PartyKind(models.TextChoices):
    PERSON = "PERSON", "person"
    GROUP = "GROUP", "group"
    ORGANISATION = "ORGANISATION", "organisation"


class Party(models.Model):
    """A person, a group or an organisation, under one name. Two bands of one name are two parties."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=TITLE_LENGTH)
    sort_name = models.CharField(max_length=TITLE_LENGTH)
    slug = models.SlugField(max_length=SLUG_LENGTH, unique=True)
    kind = models.CharField(max_length=12, choices=PartyKind, default=PartyKind.GROUP)
    isni = models.CharField(max_length=16, unique=True, null=True, blank=True)
    ipi = models.CharField(max_length=11, blank=True)
    url = models.URLField(max_length=500, blank=True)
    more_permissions_url = models.URLField(
        max_length=500,
        blank=True,
        db_default="",
        help_text="Where more than a licence gives is asked for: film, adverts, a contract.",
    )
    musicbrainz_id = models.UUIDField("MusicBrainz id", null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    search_vector = SearchVectorField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "parties"
        ordering = ["sort_name", "pk"]
        constraints = [
            models.CheckConstraint(name="party_name_not_empty", condition=~Q(name="") & ~Q(slug="")),
            models.CheckConstraint(name="party_isni_form", condition=Q(isni__regex=r"^[0-9]{15}[0-9X]$")),
            models.CheckConstraint(name="party_ipi_form", condition=Q(ipi="") | Q(ipi__regex=r"^[0-9]{11}$")),
        ]
        indexes = [
            GinIndex(name="party_search", fields=["search_vector"]),
            GinIndex(OpClass(Plain(F("name")), name="gin_trgm_ops"), name="party_name_trigrams"),
            models.Index(Upper("name"), name="party_name_upper"),
        ]

    def __str__(self) -> str:
        return self.name


class Work(models.Model):
    """A composition with or without words, as written; what a society knows by an ISWC."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=TITLE_LENGTH)
    iswc = models.CharField("ISWC", max_length=11, unique=True, null=True, blank=True)
    musicbrainz_id = models.UUIDField("MusicBrainz id", null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["title", "pk"]
        constraints = [
            models.CheckConstraint(name="work_title_not_empty", condition=~Q(title="")),
            models.CheckConstraint(name="work_iswc_form", condition=Q(iswc__regex=r"^T[0-9]{10}$")),
        ]

    def __str__(self) -> str:
        return self.title


class WorkRole(models.TextChoices):
    """What somebody is to a work, in the codes of the Common Works Registration format (CWR 2.x, CISAC)."""

    COMPOSER = "C", "composer"
    AUTHOR = "A", "author of the words"
    COMPOSER_AUTHOR = "CA", "composer and author"
    ARRANGER = "AR", "arranger"
    ADAPTOR = "AD", "adaptor"
    TRANSLATOR = "TR", "translator"
    PUBLISHER = "E", "original publisher"
    SUB_PUBLISHER = "SE", "sub-publisher"
    ADMINISTRATOR = "AM", "administrator"
    INCOME_PARTICIPANT = "PA", "income participant"


class WorkShare(models.Model):
    """Who controls how much of a work: a writer or a publisher, with exact shares of the two rights societies part.

    Shares are fractions of the whole work as a party declares them; what is controlled where, and on what evidence, is
    for a licence record to say. `published_by` links a writer's line to the publisher's that stands in for it.
    """

    work = models.ForeignKey(Work, on_delete=models.CASCADE, related_name="shares")
    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="work_shares")
    role = models.CharField(max_length=2, choices=WorkRole)
    mechanical_numerator = models.BigIntegerField(default=0)
    mechanical_denominator = models.BigIntegerField(default=1)
    performing_numerator = models.BigIntegerField(default=0)
    performing_denominator = models.BigIntegerField(default=1)
    published_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="writers")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["work", "pk"]
        constraints = [
            models.UniqueConstraint(name="work_share_once", fields=["work", "party", "role"]),
            models.CheckConstraint(name="work_share_role_known", condition=Q(role__in=WorkRole.values)),
            models.CheckConstraint(
                name="work_share_is_a_part",
                condition=Q(
                    mechanical_numerator__gte=0,
                    mechanical_denominator__gt=0,
                    mechanical_numerator__lte=F("mechanical_denominator"),
                    performing_numerator__gte=0,
                    performing_denominator__gt=0,
                    performing_numerator__lte=F("performing_denominator"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party}, {self.get_role_display()} of {self.work}"

    @property
    def mechanical(self) -> Fraction:
        return Fraction(self.mechanical_numerator, self.mechanical_denominator)

    @property
    def performing(self) -> Fraction:
        return Fraction(self.performing_numerator, self.performing_denominator)


class SocietyRight(models.TextChoices):
    MECHANICAL = "MECHANICAL", "mechanical right"
    PERFORMING = "PERFORMING", "performing right"


class SocietyMembership(models.Model):
    """A party's mandate to a collecting society for one right: where, from when, until when.

    `online_excluded`: the member keeps the right for sales online (EU Directive 2014/26, article 5). Territories are
    ISO 3166-1 codes under `ONLY` or `WORLD_EXCEPT`.
    """

    party = models.ForeignKey(Party, on_delete=models.CASCADE, related_name="memberships")
    society = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="members")
    right = models.CharField(max_length=10, choices=SocietyRight)
    territory_mode = models.CharField(max_length=12, default="WORLD_EXCEPT")
    territories = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    joined_on = models.DateField(null=True, blank=True)
    left_on = models.DateField(null=True, blank=True)
    online_excluded = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["party", "pk"]
        constraints = [
            models.CheckConstraint(name="membership_right_known", condition=Q(right__in=SocietyRight.values)),
            models.CheckConstraint(
                name="membership_territory_given",
                condition=Q(territory_mode="WORLD_EXCEPT") | Q(territory_mode="ONLY", territories__len__gt=0),
            ),
            models.CheckConstraint(name="membership_not_of_itself", condition=~Q(party=F("society"))),
            models.CheckConstraint(
                name="membership_dates_in_order",
                condition=Q(joined_on=None) | Q(left_on=None) | Q(joined_on__lte=F("left_on")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party}, member of {self.society}"


class RecordingQuerySet(models.QuerySet["Recording"]):
    def with_credits(self) -> Self:
        """Credits and their parties in two statements, whatever the number of recordings."""
        return self.prefetch_related(models.Prefetch("credits", Credit.objects.select_related("party")))


class Recording(models.Model):
    """One fixed performance of one or more works; what an ISRC names. A remaster or an edit is another recording."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=TITLE_LENGTH)
    version_title = models.CharField(max_length=TITLE_LENGTH, blank=True)
    isrc = models.CharField("ISRC", max_length=12, unique=True, null=True, blank=True)
    musicbrainz_id = models.UUIDField("MusicBrainz id", null=True, blank=True)
    label = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="issued_recordings")
    works = models.ManyToManyField(Work, through="RecordingWork", related_name="recordings")
    p_line = models.CharField("P-line", max_length=TITLE_LENGTH, blank=True)
    language = models.CharField(max_length=35, blank=True)
    genre = models.CharField(max_length=100, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    is_cover = models.BooleanField(default=False)
    is_remix = models.BooleanField(default=False)
    is_arrangement = models.BooleanField(default=False)
    contains_samples = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    search_vector = SearchVectorField(null=True, editable=False)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]
        constraints = [
            models.CheckConstraint(name="recording_title_not_empty", condition=~Q(title="")),
            models.CheckConstraint(
                name="recording_isrc_form", condition=Q(isrc__regex=r"^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$")
            ),
        ]
        indexes = [
            GinIndex(name="recording_search", fields=["search_vector"]),
            GinIndex(OpClass(Plain(F("title")), name="gin_trgm_ops"), name="recording_title_trigrams"),
        ]

    def __str__(self) -> str:
        return self.full_title

    @property
    def full_title(self) -> str:
        """The title with its version, as shops print it: "Elan (Live in Ghent)"."""
        return f"{self.title} ({self.version_title})" if self.version_title else self.title


class RecordingWork(models.Model):
    """Which works a recording performs; a medley has several."""

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="recording_works")
    work = models.ForeignKey(Work, on_delete=models.PROTECT, related_name="recording_works")
    position = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(name="recording_work_once", fields=["recording", "work"]),
            models.CheckConstraint(name="recording_work_position_from_one", condition=Q(position__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.recording} performs {self.work}"


class ReleaseKind(models.TextChoices):
    ALBUM = "ALBUM", "album"
    SINGLE = "SINGLE", "single"
    EP = "EP", "EP"


class ReleaseQuerySet(models.QuerySet["Release"]):
    def with_credits(self) -> Self:
        """Credits and their parties in two statements, whatever the number of releases."""
        return self.prefetch_related(models.Prefetch("credits", Credit.objects.select_related("party")))

    def with_tracks(self) -> Self:
        """Tracks with recordings and the recordings' credits, in playing order, in a fixed number of statements."""
        recordings = Recording.objects.with_credits()
        tracks = Track.objects.prefetch_related(models.Prefetch("recording", recordings))
        return self.prefetch_related(models.Prefetch("tracks", tracks))


class Release(models.Model):
    """What is issued, and sold, under one title: an album, an EP or a single."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=TITLE_LENGTH)
    slug = models.SlugField(max_length=SLUG_LENGTH, unique=True)
    label = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="issued_releases")
    gtin = models.CharField("barcode (GTIN)", max_length=14, unique=True, null=True, blank=True)
    musicbrainz_id = models.UUIDField("MusicBrainz id", null=True, blank=True)
    musicbrainz_group_id = models.UUIDField("MusicBrainz release group id", null=True, blank=True)
    kind = models.CharField(max_length=6, choices=ReleaseKind, default=ReleaseKind.ALBUM)
    release_date = models.DateField(null=True, blank=True)
    c_line = models.CharField("C-line", max_length=TITLE_LENGTH, blank=True)
    p_line = models.CharField("P-line", max_length=TITLE_LENGTH, blank=True)
    genre = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=35, blank=True)
    description = models.TextField(blank=True)
    recordings = models.ManyToManyField(Recording, through="Track", related_name="releases")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    search_vector = SearchVectorField(null=True, editable=False)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(name="release_title_not_empty", condition=~Q(title="") & ~Q(slug="")),
            models.CheckConstraint(name="release_gtin_form", condition=Q(gtin__regex=r"^[0-9]{12,14}$")),
        ]
        indexes = [
            GinIndex(name="release_search", fields=["search_vector"]),
            GinIndex(OpClass(Plain(F("title")), name="gin_trgm_ops"), name="release_title_trigrams"),
        ]

    def __str__(self) -> str:
        return self.title


class Track(models.Model):
    """A recording's place on a release."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="tracks")
    disc = models.PositiveSmallIntegerField(default=1)
    number = models.PositiveSmallIntegerField()
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="tracks")
    title_override = models.CharField(max_length=TITLE_LENGTH, blank=True)
    musicbrainz_id = models.UUIDField("MusicBrainz id", null=True, blank=True)

    class Meta:
        ordering = ["disc", "number"]
        constraints = [
            models.UniqueConstraint(name="track_place_once", fields=["release", "disc", "number"]),
            models.UniqueConstraint(name="track_recording_once", fields=["release", "recording"]),
            models.CheckConstraint(name="track_numbers_from_one", condition=Q(disc__gte=1, number__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.disc}.{self.number} {self.title}"

    @property
    def title(self) -> str:
        return self.title_override or self.recording.full_title


class CreditRole(models.TextChoices):
    MAIN_ARTIST = "MAIN_ARTIST", "main artist"
    FEATURED_ARTIST = "FEATURED_ARTIST", "featured artist"
    PERFORMER = "PERFORMER", "performer"
    CONDUCTOR = "CONDUCTOR", "conductor"
    REMIXER = "REMIXER", "remixer"
    PRODUCER = "PRODUCER", "producer"
    COMPOSER = "COMPOSER", "composer"
    LYRICIST = "LYRICIST", "lyricist"
    ARRANGER = "ARRANGER", "arranger"
    PUBLISHER = "PUBLISHER", "publisher"


class Credit(models.Model):
    """Who did what on one recording, one work or one release."""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="credits")
    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, null=True, blank=True, related_name="credits")
    work = models.ForeignKey(Work, on_delete=models.CASCADE, null=True, blank=True, related_name="credits")
    release = models.ForeignKey(Release, on_delete=models.CASCADE, null=True, blank=True, related_name="credits")
    role = models.CharField(max_length=16, choices=CreditRole)
    credited_as = models.CharField(max_length=TITLE_LENGTH, blank=True)
    position = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="credit_has_one_subject",
                condition=Q(recording__isnull=False, work__isnull=True, release__isnull=True)
                | Q(recording__isnull=True, work__isnull=False, release__isnull=True)
                | Q(recording__isnull=True, work__isnull=True, release__isnull=False),
            ),
            models.UniqueConstraint(name="credit_once_per_recording", fields=["recording", "party", "role"]),
            models.UniqueConstraint(name="credit_once_per_work", fields=["work", "party", "role"]),
            models.UniqueConstraint(name="credit_once_per_release", fields=["release", "party", "role"]),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.get_role_display()}"

    @property
    def name(self) -> str:
        """The name as it stands on this sleeve."""
        return self.credited_as or self.party.name


class Artwork(models.Model):
    """One image of a release, re-encoded by us; position 1 is the front cover. Smaller ones: `catalog.artwork`."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="artworks")
    position = models.PositiveSmallIntegerField(default=1)
    file = models.FileField(storage=artwork_storage, max_length=200)
    sha256 = models.CharField(max_length=64)
    source_sha256 = models.CharField(max_length=64, help_text="Of the image as delivered.")
    media_type = models.CharField(max_length=20)
    width = models.PositiveIntegerField(help_text="Pixels.")
    height = models.PositiveIntegerField(help_text="Pixels.")
    bytes = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="artwork_position_once", fields=["release", "position"]),
            models.CheckConstraint(
                name="artwork_hashes",
                condition=Q(sha256__regex="^[0-9a-f]{64}$", source_sha256__regex="^[0-9a-f]{64}$"),
            ),
        ]
        indexes = [models.Index(name="artwork_sha256", fields=["sha256"])]

    def __str__(self) -> str:
        return f"artwork {self.position} of {self.release}"
