"""Rights holders, what they allow, the evidence for it, and what the store concluded.

Everything here except `RightsHolder` is append-only: triggers (migration `0002_promises`) refuse to change or delete a
row, whoever asks, and the application's role lacks the privilege (`append_only`). A change is a new row: a new version
of a grant, an end, a review, the end of a notice.
"""

import uuid
from collections.abc import Iterable
from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q

from licensing.terms import (
    Basis,
    CmoStatus,
    EndKind,
    EvidenceKind,
    Layer,
    Licensee,
    Material,
    NoticeKind,
    RedownloadRule,
    ReviewOutcome,
    TerritoryMode,
    Use,
)


def _choices(terms: type[StrEnum]) -> list[tuple[str, str]]:
    return [(term.value, term.value.replace("_", " ").capitalize()) for term in terms]


def _one_of(field: str, terms: Iterable[str], *, blank: bool = False) -> Q:
    return Q(**{f"{field}__in": [*(str(term) for term in terms), *([""] if blank else [])]})


def _exactly_one(*fields: str) -> Q:
    """True where one of `fields` is set and the others are null."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition


def evidence_storage() -> Storage:
    return storages["evidence"]


class RightsHolder(models.Model):
    """A party that controls rights. Not a payee: who is paid on its behalf is for a letter of direction to say."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    party = models.OneToOneField("catalog.Party", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.party)


class Instrument(models.Model):
    """One piece of evidence, kept as it was captured: a text, or bytes in the evidence storage, with their SHA-256."""

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=20, choices=_choices(EvidenceKind))
    text = models.TextField(blank=True)
    file = models.FileField(storage=evidence_storage, blank=True, max_length=200)
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()
    media_type = models.CharField(max_length=100)
    source_file_sha256 = models.CharField(max_length=64, blank=True)
    captured_at = models.DateTimeField()
    captured_by = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(name="instrument_kind_known", condition=_one_of("kind", EvidenceKind)),
            models.CheckConstraint(name="instrument_has_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(name="instrument_has_actor", condition=~Q(captured_by="")),
            models.CheckConstraint(name="instrument_has_bytes", condition=Q(bytes__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.sha256[:12]}"


class LicenceGrant(models.Model):
    """What a holder allows, for one recording or one work, as it was said on the day: one version of one record.

    `submitted_for` is the label for which the record was handed in; its own people may not review it. `material` marks
    a record for other people's music inside the recording (a sample, a remix), which fills no share of the layer.
    """

    append_only = True

    record_id = models.UUIDField(default=uuid.uuid4)
    version = models.PositiveIntegerField(default=1)
    supersedes = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="successor")

    layer = models.CharField(max_length=10, choices=_choices(Layer))
    recording = models.ForeignKey(
        "catalog.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work = models.ForeignKey("catalog.Work", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    material = models.CharField(max_length=12, choices=_choices(Material), blank=True)

    licensor = models.ForeignKey(RightsHolder, on_delete=models.PROTECT, related_name="grants")
    licensee = models.CharField(max_length=6, choices=_choices(Licensee))
    basis = models.CharField(max_length=16, choices=_choices(Basis))
    licence_url = models.CharField(max_length=300, blank=True)
    licence_statement = models.TextField(blank=True)

    uses = ArrayField(models.CharField(max_length=20, choices=_choices(Use)))
    territory_mode = models.CharField(max_length=12, choices=_choices(TerritoryMode))
    territories = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    dates_as_given = models.CharField(max_length=200, blank=True)
    exclusive = models.BooleanField(default=False)
    share_numerator = models.BigIntegerField(default=1)
    share_denominator = models.BigIntegerField(default=1)

    drm_required = models.BooleanField(default=False)
    edits_allowed = models.BooleanField(default=False)
    preview_max_seconds = models.PositiveIntegerField(null=True, blank=True)
    redownload_rule = models.CharField(
        max_length=14, choices=_choices(RedownloadRule), default=RedownloadRule.ALWAYS.value
    )
    free_consent = models.BooleanField(default=False)
    price_minimum_minor = models.BigIntegerField(null=True, blank=True)
    price_currency = models.CharField(max_length=3, blank=True)
    cmo_status = models.CharField(max_length=10, choices=_choices(CmoStatus), default=CmoStatus.UNKNOWN.value)
    cmo_name = models.CharField(max_length=100, blank=True)
    cmo_licence_number = models.CharField(max_length=100, blank=True)
    cmo_mandate_proven = models.BooleanField(default=False)
    cmo_in_repertoire = models.BooleanField(default=False)
    statutory_condition_met = models.BooleanField(default=False)
    rate_verified_on = models.DateField(null=True, blank=True)

    submitted_by = models.CharField(max_length=100)
    submitted_for = models.ForeignKey(
        "catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    evidence = models.ManyToManyField(Instrument, through="GrantEvidence", related_name="grants")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="grant_version_once", fields=["record_id", "version"]),
            models.CheckConstraint(name="grant_one_subject", condition=_exactly_one("recording", "work")),
            models.CheckConstraint(
                name="grant_subject_fits_layer",
                condition=Q(layer="RECORDING", recording__isnull=False)
                | Q(layer="WORK", work__isnull=False)
                | (Q(recording__isnull=False) & ~Q(material="")),
            ),
            models.CheckConstraint(name="grant_layer_known", condition=_one_of("layer", Layer)),
            models.CheckConstraint(name="grant_basis_known", condition=_one_of("basis", Basis)),
            models.CheckConstraint(name="grant_licensee_known", condition=_one_of("licensee", Licensee)),
            models.CheckConstraint(name="grant_material_known", condition=_one_of("material", Material, blank=True)),
            models.CheckConstraint(name="grant_cmo_known", condition=_one_of("cmo_status", CmoStatus)),
            models.CheckConstraint(name="grant_redownload_known", condition=_one_of("redownload_rule", RedownloadRule)),
            models.CheckConstraint(
                name="grant_uses_known",
                condition=Q(uses__len__gt=0, uses__contained_by=[use.value for use in Use]),
            ),
            models.CheckConstraint(
                name="grant_territory_given",
                condition=Q(territory_mode="WORLD_EXCEPT") | Q(territory_mode="ONLY", territories__len__gt=0),
            ),
            models.CheckConstraint(
                name="grant_share_is_a_part",
                condition=Q(
                    share_numerator__gt=0, share_denominator__gt=0, share_numerator__lte=F("share_denominator")
                ),
            ),
            models.CheckConstraint(
                name="grant_dates_in_order",
                condition=Q(starts_on__isnull=True) | Q(ends_on__isnull=True) | Q(starts_on__lte=F("ends_on")),
            ),
            models.CheckConstraint(
                name="grant_first_or_superseding",
                condition=Q(version=1, supersedes__isnull=True) | Q(version__gt=1, supersedes__isnull=False),
            ),
            models.CheckConstraint(
                name="grant_price_has_currency",
                condition=Q(price_minimum_minor__isnull=True)
                | Q(price_minimum_minor__gte=0, price_currency__regex=r"^[A-Z]{3}$"),
            ),
            models.CheckConstraint(name="grant_has_actor", condition=~Q(submitted_by="")),
        ]
        indexes = [models.Index(name="grant_by_time", fields=["created_at", "id"])]

    def __str__(self) -> str:
        return f"{self.layer} {self.basis} {self.record_id} v{self.version}"


class GrantEvidence(models.Model):
    """This grant rests on this instrument. Added with the grant; none is added once a review has been made."""

    append_only = True

    grant = models.ForeignKey(LicenceGrant, on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(name="evidence_once_a_grant", fields=["grant", "instrument"])]

    def __str__(self) -> str:
        return f"{self.grant_id} rests on {self.instrument_id}"


class Review(models.Model):
    """A person's word on a grant, bound to the very evidence she saw and the very sound she heard.

    `evidence_sha256` is the hash over the hashes of all evidence; `sound_sha256` that of the decoded master.
    """

    append_only = True

    grant = models.ForeignKey(LicenceGrant, on_delete=models.PROTECT, related_name="reviews")
    outcome = models.CharField(max_length=8, choices=_choices(ReviewOutcome))
    reason = models.TextField(blank=True)
    reviewer = models.CharField(max_length=100)
    reviewer_labels = ArrayField(models.BigIntegerField(), default=list, blank=True)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    sound_sha256 = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="review_outcome_known", condition=_one_of("outcome", ReviewOutcome)),
            models.CheckConstraint(name="review_has_reviewer", condition=~Q(reviewer="")),
            models.CheckConstraint(
                name="review_approval_bound",
                condition=~Q(outcome="APPROVED") | Q(evidence_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(name="review_refusal_reasoned", condition=~Q(outcome="REFUSED") | ~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} by {self.reviewer}"


class GrantEnd(models.Model):
    """A record (all its versions) is revoked, suspended or resumed from `at` on.

    `void_title` says that the licensor never had the right: then past buyers' downloads stop too.
    """

    append_only = True

    grant = models.ForeignKey(LicenceGrant, on_delete=models.PROTECT, related_name="ends")
    kind = models.CharField(max_length=9, choices=_choices(EndKind))
    reason = models.TextField()
    void_title = models.BooleanField(default=False)
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="grant_end_kind_known", condition=_one_of("kind", EndKind)),
            models.CheckConstraint(name="grant_end_reasoned", condition=~Q(reason="") & ~Q(actor="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"


class Notice(models.Model):
    """Somebody demands that something stop: who, about what, on what ground. It holds until a `NoticeEnd`.

    `answers` links a counter-notice or a repeated notice to the one before. A dispute names the `layer` it is about.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=_choices(NoticeKind))
    recording = models.ForeignKey(
        "catalog.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work = models.ForeignKey("catalog.Work", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    release = models.ForeignKey("catalog.Release", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    label = models.ForeignKey("catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    layer = models.CharField(max_length=10, choices=_choices(Layer), blank=True)
    claimant = models.CharField(max_length=200)
    contact = models.CharField(max_length=200, blank=True)
    statement = models.TextField()
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    answers = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="answered_by")
    deadline = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="notice_kind_known", condition=_one_of("kind", NoticeKind)),
            models.CheckConstraint(name="notice_layer_known", condition=_one_of("layer", Layer, blank=True)),
            models.CheckConstraint(
                name="notice_one_subject", condition=_exactly_one("recording", "work", "release", "label")
            ),
            models.CheckConstraint(name="notice_says_who", condition=~Q(claimant="") & ~Q(statement="") & ~Q(actor="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.claimant}"


class NoticeEnd(models.Model):
    """The notice no longer holds. One end a notice; a repeated demand is a new notice."""

    append_only = True

    notice = models.OneToOneField(Notice, on_delete=models.PROTECT, related_name="end")
    reason = models.TextField()
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="notice_end_reasoned", condition=~Q(reason="") & ~Q(actor=""))]

    def __str__(self) -> str:
        return f"lifted {self.at:%Y-%m-%d}"


class ClearanceDecision(models.Model):
    """What the engine concluded about one recording or release and one use: the newest row for them is in force.

    `verdict` is the whole answer with its reasons; `cleared_countries` and `good_until` repeat the part that selling
    asks for on every page. After `good_until` the row says nothing any more. `answer_sha256` leaves out the instant of
    asking, so that asking again with the same outcome keeps no new row.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recording = models.ForeignKey(
        "catalog.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    release = models.ForeignKey("catalog.Release", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    use = models.CharField(max_length=20, choices=_choices(Use))
    at = models.DateTimeField()
    engine = models.CharField(max_length=20)
    cleared_countries = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    good_until = models.DateTimeField(null=True, blank=True)
    verdict = models.JSONField()
    verdict_sha256 = models.CharField(max_length=64)
    answer_sha256 = models.CharField(max_length=64)
    sound_sha256 = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(name="decision_one_subject", condition=_exactly_one("recording", "release")),
            models.CheckConstraint(name="decision_use_known", condition=_one_of("use", Use)),
            models.CheckConstraint(name="decision_has_sha256", condition=Q(verdict_sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(name="decision_has_actor", condition=~Q(actor="")),
        ]
        indexes = [
            models.Index(name="decision_of_recording", fields=["recording", "use", "-id"]),
            models.Index(name="decision_of_release", fields=["release", "use", "-id"]),
            GinIndex(name="decision_countries", fields=["cleared_countries"]),
        ]

    def __str__(self) -> str:
        return f"{self.use} cleared in {len(self.cleared_countries)} countries"
