"""What was delivered, what was found in it, and what was made of it.

Work that is owed is a row here (a master EXAMINING, a rendition PLANNED); a message to a worker only rings the bell.
A worker takes a row by a conditional update that raises its `fence`; whoever comes back with an older fence is late,
and is refused. Times are aware, sizes are bytes, lengths are samples per channel at the master's own rate.
"""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Upload(models.Model):
    """Bytes as somebody handed them over, before anybody trusts them."""

    class State(models.TextChoices):
        STARTED = "STARTED", "announced, nothing received"
        RECEIVED = "RECEIVED", "in quarantine"
        RELEASED = "RELEASED", "examined, out of quarantine"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    filename = models.CharField(max_length=255)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    storage_key = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.STARTED)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(bytes__gte=0), name="upload_bytes_not_negative"),
        ]

    def __str__(self) -> str:
        return self.filename


class Master(models.Model):
    """The file delivered for a recording. Once accepted it never changes (a trigger sees to it).

    `file_sha256` names the bytes, `sound_sha256` the decoded sound (see `probe`). New audio is a new master.
    `bit_depth` is nought for a lossy master: such a file holds no depth. `permille` is how much of it the examination
    has heard. `peaks` are `probe.PEAKS` loudest absolute samples in thousandths of full scale, for the player's wave.
    """

    class State(models.TextChoices):
        EXAMINING = "EXAMINING", "being examined"
        ACCEPTED = "ACCEPTED", "accepted"
        REJECTED = "REJECTED", "rejected"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recording = models.ForeignKey("catalog.Recording", on_delete=models.PROTECT, related_name="+")
    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, related_name="masters")
    storage_key = models.CharField(max_length=200)
    file_sha256 = models.CharField(max_length=64)
    sound_sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    container = models.CharField(max_length=16, blank=True)
    codec = models.CharField(max_length=32, blank=True)
    lossless = models.BooleanField(default=False)
    sample_rate = models.PositiveIntegerField(default=0)
    bit_depth = models.PositiveSmallIntegerField(default=0)
    channels = models.PositiveSmallIntegerField(default=0)
    samples = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField()
    peaks = models.JSONField(default=list, blank=True)
    loudest_second = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State, default=State.EXAMINING)
    created_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    permille = models.PositiveSmallIntegerField(default=0)
    rung_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["recording", "file_sha256"], name="master_once_per_recording"),
            models.CheckConstraint(
                condition=~Q(state="ACCEPTED")
                | Q(
                    sound_sha256__regex="^[0-9a-f]{64}$",
                    samples__gt=0,
                    sample_rate__gt=0,
                    channels__gt=0,
                    accepted_at__isnull=False,
                ),
                name="accepted_master_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="ACCEPTED") | Q(lossless=True, bit_depth__gt=0) | Q(lossless=False, bit_depth=0),
                name="only_a_lossless_master_has_depth",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], condition=Q(state="EXAMINING"), name="master_owed"),
        ]

    def __str__(self) -> str:
        return f"master {self.file_sha256[:12]}"

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate if self.sample_rate else 0.0


class Finding(models.Model):
    """Something the examination saw, in words a label understands. Findings are never changed."""

    class Severity(models.TextChoices):
        NOTE = "NOTE", "good to know"
        WARNING = "WARNING", "worth a look"
        FATAL = "FATAL", "the file cannot be used"

    master = models.ForeignKey(Master, on_delete=models.PROTECT, related_name="findings")
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=7, choices=Severity)
    message = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["master", "code"], name="one_finding_of_a_kind"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["master"], condition=Q(severity="FATAL"), name="finding_fatal"),
        ]

    def __str__(self) -> str:
        return self.message


class Analysis(models.Model):
    """What was measured in an accepted master's sound; made anew when its `recipe` rises, so never evidence.

    Levels are hundredths: `loudness` of LUFS and `loudness_range` of LU (EBU R128), `true_peak` of dBTP; null where
    nothing could be measured, as in silence. `curve` is the short-term loudness over the whole length in tenths of
    LUFS. `cutoff_hz` is where the spectrum ends, `true_depth` the bits that really move, nought where unknown.
    `fingerprint` is Chromaprint's own text; `spectrum_key` names the picture in the storage.
    """

    master = models.OneToOneField(Master, on_delete=models.CASCADE, related_name="analysis")
    recipe = models.PositiveSmallIntegerField()
    loudness = models.IntegerField(null=True, blank=True)
    loudness_range = models.IntegerField(null=True, blank=True)
    true_peak = models.IntegerField(null=True, blank=True)
    curve = models.JSONField(default=list, blank=True)
    cutoff_hz = models.PositiveIntegerField(default=0)
    true_depth = models.PositiveSmallIntegerField(default=0)
    fingerprint = models.TextField(blank=True)
    spectrum_key = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "analyses"

    def __str__(self) -> str:
        return f"analysis of {self.master}"


class Fingerprint(models.Model):
    """A handful of a master's Chromaprint values, by which masters that may sound alike are found through one index.

    `marks` is empty for a sound too short or too dull to be known by; `compared_at` is null as long as nobody has
    looked for its likes.
    """

    master = models.OneToOneField(Master, on_delete=models.CASCADE, related_name="+")
    marks = ArrayField(models.IntegerField(), default=list, blank=True)
    compared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            GinIndex(fields=["marks"], name="fingerprint_marks"),
            models.Index(fields=["master"], condition=Q(compared_at=None), name="fingerprint_not_compared"),
        ]

    def __str__(self) -> str:
        return f"fingerprint of {self.master}"


class Likeness(models.Model):
    """Two masters of different bytes that sound alike; `one` is the older. `seconds` is for how long, `permille` how
    many of the fingerprints' bits agree there."""

    one = models.ForeignKey(Master, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Master, on_delete=models.CASCADE, related_name="+")
    seconds = models.PositiveSmallIntegerField()
    permille = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name_plural = "likenesses"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["one", "other"], name="one_likeness_of_two"),
            models.CheckConstraint(condition=Q(one__lt=F("other")), name="likeness_names_the_older_first"),
        ]

    def __str__(self) -> str:
        return f"{self.one} like {self.other}"


class PreviewStart(models.Model):
    """Where a label wants a recording's preview to begin, in milliseconds; without a row the loudest passage is cut."""

    recording = models.OneToOneField("catalog.Recording", on_delete=models.CASCADE, related_name="+")
    milliseconds = models.PositiveIntegerField()
    actor = models.CharField(max_length=80)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.recording} from {self.milliseconds} ms"


class Rendition(models.Model):
    """A file made, or owed, from a master: one per format, recipe and tag signature.

    The tag signature covers the tags, the cover and, for a preview, the cut. `priority` is urgency, lowest first.
    `attempts` counts tries that failed; a worker that was killed has only let its claim run out. `permille` is how much
    of the sound has gone into the encoder, as true as the encoder tells. `peaks` is a preview's own wave. `tags_at` is
    since when these tags are the right ones: they may be right, be corrected, and be right again. `heard_at` is when a
    file that was not decoded whole when it was made was, and `disowned` how often that found its bytes wrong.
    """

    class Purpose(models.TextChoices):
        FULL = "FULL", "the whole recording"
        PREVIEW = "PREVIEW", "a cut to listen to before buying"
        REVIEW = "REVIEW", "the whole recording, for reviewers alone"

    class State(models.TextChoices):
        PLANNED = "PLANNED", "waiting"
        MAKING = "MAKING", "being made"
        READY = "READY", "ready"
        FAILED = "FAILED", "given up"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    master = models.ForeignKey(Master, on_delete=models.PROTECT, related_name="renditions")
    format = models.CharField(max_length=16)
    purpose = models.CharField(max_length=7, choices=Purpose, default=Purpose.FULL)
    recipe = models.PositiveSmallIntegerField()
    tag_signature = models.CharField(max_length=64)
    tags = models.JSONField()
    tags_at = models.DateTimeField(default=timezone.now)
    cut = models.JSONField(null=True, blank=True)
    peaks = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=7, choices=State, default=State.PLANNED)
    priority = models.PositiveSmallIntegerField(default=20)
    storage_key = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    bytes = models.BigIntegerField(default=0)
    sound_sha256 = models.CharField(max_length=64, blank=True)
    samples = models.BigIntegerField(default=0)
    sample_rate = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    permille = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    planned_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    disowned = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["master", "format", "recipe", "tag_signature"], name="one_rendition_of_a_kind"
            ),
            models.CheckConstraint(
                condition=~Q(state="READY")
                | Q(sha256__regex="^[0-9a-f]{64}$", bytes__gt=0, samples__gt=0, ready_at__isnull=False)
                & ~Q(storage_key=""),
                name="ready_rendition_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(purpose="PREVIEW", cut__isnull=False) | Q(purpose__in=["FULL", "REVIEW"], cut__isnull=True),
                name="only_a_preview_is_cut",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                F("priority"), F("planned_at"), condition=Q(state__in=["PLANNED", "MAKING"]), name="rendition_owed"
            ),
            models.Index(fields=["planned_at"], condition=Q(state="FAILED"), name="rendition_given_up"),
            models.Index(
                fields=["ready_at", "id"],
                condition=Q(state="READY", sound_sha256="", heard_at=None, purpose__in=["FULL", "REVIEW"]),
                name="rendition_unheard",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.format} {self.public_id}"


class Attempt(models.Model):
    """One try at examining a master (no rendition) or at making a rendition. A row without an end was cut short.

    `worker` is its name in Celery, or the machine's where none is at work: of many, one may have the bad disk.
    """

    class Outcome(models.TextChoices):
        DONE = "DONE", "done"
        FAILED = "FAILED", "failed"
        LATE = "LATE", "came back after its claim had passed to another"

    master = models.ForeignKey(Master, on_delete=models.PROTECT, related_name="tries")
    rendition = models.ForeignKey(Rendition, on_delete=models.PROTECT, null=True, blank=True, related_name="tries")
    fence = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=6, choices=Outcome, blank=True)
    error = models.TextField(blank=True)
    worker = models.CharField(max_length=255, blank=True, db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["master", "rendition", "fence"], nulls_distinct=False, name="one_try_per_fence"
            ),
        ]

    def __str__(self) -> str:
        return f"try {self.fence}"


class Parcel(models.Model):
    """The files that one person gathers for one label, until she hands them in together as one delivery.

    `order` is what was asked with them, for whoever takes them; this app only keeps it. `fence` and `claimed_until` are
    those of the worker that takes it.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", "being gathered"
        HANDED_IN = "HANDED_IN", "waiting to be taken"
        TAKEN = "TAKEN", "taken"
        FAILED = "FAILED", "given up"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    label = models.ForeignKey("catalog.Party", on_delete=models.PROTECT, related_name="+")
    actor = models.CharField(max_length=80)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    order = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    handed_in_at = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["label", "actor"], condition=Q(state="OPEN"), name="one_open_parcel_per_person"
            ),
            models.CheckConstraint(
                condition=Q(state="OPEN", handed_in_at__isnull=True) | ~Q(state="OPEN") & Q(handed_in_at__isnull=False),
                name="parcel_handed_in_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["handed_in_at"], condition=Q(state="HANDED_IN"), name="parcel_owed"),
        ]

    def __str__(self) -> str:
        return f"parcel {self.public_id}"


class Arrival(models.Model):
    """One file on its way, in pieces that may break off anywhere (the tus protocol, see `uploads`).

    `received` bytes are kept for certain; `pieces` is what the storage must remember of them. `sha256` is of all bytes,
    hashed as they streamed in, `promised_sha256` what the sender said it would be. `fence` and `claimed_until` are the
    one writer's; whoever holds an older fence writes no more.
    """

    class State(models.TextChoices):
        ARRIVING = "ARRIVING", "on its way"
        WHOLE = "WHOLE", "here"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    parcel = models.ForeignKey(Parcel, on_delete=models.PROTECT, related_name="arrivals")
    path = models.CharField(max_length=1000)
    length = models.BigIntegerField()
    received = models.BigIntegerField(default=0)
    pieces = models.JSONField(default=dict, blank=True)
    promised_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.ARRIVING)
    fence = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["parcel", "path"], name="one_arrival_per_place"),
            models.CheckConstraint(
                condition=Q(received__gte=0, received__lte=F("length")), name="arrival_received_within_length"
            ),
            models.CheckConstraint(
                condition=~Q(state="WHOLE") | Q(received=F("length"), sha256__regex="^[0-9a-f]{64}$"),
                name="whole_arrival_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.path


class ByteLook(models.Model):
    """When bytes that can be made or fetched again (renditions, covers) were last hashed, and what was wrong then.

    Bytes that approvals rest on have licensing's own rows for this; losing one takes nothing off sale for long.
    """

    class Place(models.TextChoices):
        RENDITION = "RENDITION", "rendition"
        ARTWORK = "ARTWORK", "cover"

    place = models.CharField(max_length=9, choices=Place)
    key = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    due_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True, blank=True)
    found_sha256 = models.CharField(max_length=64, null=True, blank=True)
    wrong_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["place", "key"], name="one_look_per_key"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="byte_look_due"),
            models.Index(fields=["place", "key"], condition=Q(wrong_since__isnull=False), name="byte_look_wrong"),
        ]

    def __str__(self) -> str:
        return f"{self.get_place_display()} {self.key}"
