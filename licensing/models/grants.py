"""Rights holders, what they allow, the evidence for it, and how it ends."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q

from licensing.models.columns import choices, exactly_one, one_of
from licensing.terms import (
    Basis,
    CmoStatus,
    EndKind,
    EvidenceKind,
    Layer,
    Licensee,
    Material,
    RedownloadRule,
    TerritoryMode,
    Use,
)


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
    """One piece of evidence, kept as it was captured: a text, or bytes in the evidence storage, with their SHA-256.

    `name` is what the file was called where it came from; it decides nothing. It is null where it was never given, as
    all columns are that came after the chain over these rows.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=20, choices=choices(EvidenceKind))
    text = models.TextField(blank=True)
    file = models.FileField(storage=evidence_storage, blank=True, max_length=200)
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()
    media_type = models.CharField(max_length=100)
    name = models.CharField(max_length=200, null=True, blank=True)
    source_file_sha256 = models.CharField(max_length=64, blank=True)
    captured_at = models.DateTimeField()
    captured_by = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(name="instrument_kind_known", condition=one_of("kind", EvidenceKind)),
            models.CheckConstraint(name="instrument_has_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(name="instrument_has_actor", condition=~Q(captured_by="")),
            models.CheckConstraint(name="instrument_has_bytes", condition=Q(bytes__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.sha256[:12]}"


class LicenceGrant(models.Model):
    """What a holder allows, as it was said on the day: one version of one record.

    A record is about one recording, one work, or a `catalogue`: every recording that the party issued, or, for the work
    layer, every work in which the party, or a member of that society, holds a share. `agreement` is the number of the
    contract that several records share; `tariff` names the `Rate` rows by which a society or a statute is paid.
    `territories_as_given` keeps the words that the countries were read from ("EU, CH"), as they stood on that day.

    `submitted_for` is the label for which the record was handed in; its own people may not review it. `material` marks
    a record for other people's music inside the recording (a sample, a remix), which fills no share of the layer.
    """

    append_only = True

    record_id = models.UUIDField(default=uuid.uuid4)
    version = models.PositiveIntegerField(default=1)
    supersedes = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="successor")

    layer = models.CharField(max_length=10, choices=choices(Layer))
    recording = models.ForeignKey(
        "catalog.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work = models.ForeignKey("catalog.Work", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    catalogue = models.ForeignKey("catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    material = models.CharField(max_length=12, choices=choices(Material), blank=True)

    licensor = models.ForeignKey(RightsHolder, on_delete=models.PROTECT, related_name="grants")
    licensee = models.CharField(max_length=6, choices=choices(Licensee))
    basis = models.CharField(max_length=16, choices=choices(Basis))
    agreement = models.CharField(max_length=100, blank=True)
    licence_url = models.CharField(max_length=300, blank=True)
    licence_statement = models.TextField(blank=True)

    uses = ArrayField(models.CharField(max_length=20, choices=choices(Use)))
    territory_mode = models.CharField(max_length=12, choices=choices(TerritoryMode))
    territories = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    territories_as_given = models.CharField(max_length=500, null=True, blank=True)
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
        max_length=14, choices=choices(RedownloadRule), default=RedownloadRule.ALWAYS.value
    )
    free_consent = models.BooleanField(default=False)
    price_minimum_minor = models.BigIntegerField(null=True, blank=True)
    price_currency = models.CharField(max_length=3, blank=True)
    cmo_status = models.CharField(max_length=10, choices=choices(CmoStatus), default=CmoStatus.UNKNOWN.value)
    cmo_name = models.CharField(max_length=100, blank=True)
    cmo_licence_number = models.CharField(max_length=100, blank=True)
    cmo_mandate_proven = models.BooleanField(default=False)
    cmo_in_repertoire = models.BooleanField(default=False)
    statutory_condition_met = models.BooleanField(default=False)
    tariff = models.CharField(max_length=40, blank=True)

    submitted_by = models.CharField(max_length=100)
    submitted_for = models.ForeignKey(
        "catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    evidence = models.ManyToManyField(Instrument, through="GrantEvidence", related_name="grants")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="grant_version_once", fields=["record_id", "version"]),
            models.CheckConstraint(name="grant_one_subject", condition=exactly_one("recording", "work", "catalogue")),
            models.CheckConstraint(
                name="grant_subject_fits_layer",
                condition=Q(layer="RECORDING", recording__isnull=False)
                | Q(layer="WORK", work__isnull=False)
                | (Q(recording__isnull=False) & ~Q(material=""))
                | Q(catalogue__isnull=False, material=""),
            ),
            models.CheckConstraint(name="grant_layer_known", condition=one_of("layer", Layer)),
            models.CheckConstraint(name="grant_basis_known", condition=one_of("basis", Basis)),
            models.CheckConstraint(name="grant_licensee_known", condition=one_of("licensee", Licensee)),
            models.CheckConstraint(name="grant_material_known", condition=one_of("material", Material, blank=True)),
            models.CheckConstraint(name="grant_cmo_known", condition=one_of("cmo_status", CmoStatus)),
            models.CheckConstraint(name="grant_redownload_known", condition=one_of("redownload_rule", RedownloadRule)),
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
        indexes = [
            models.Index(name="grant_by_time", fields=["created_at", "id"]),
            models.Index(name="grant_by_agreement", fields=["agreement"], condition=~Q(agreement="")),
            models.Index(name="grant_by_last_day", fields=["ends_on"], condition=Q(ends_on__isnull=False)),
        ]

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


class GrantEnd(models.Model):
    """A record (all its versions) is revoked, suspended or resumed from `at` on.

    `void_title` says that the licensor never had the right: then past buyers' downloads stop too.
    """

    append_only = True

    grant = models.ForeignKey(LicenceGrant, on_delete=models.PROTECT, related_name="ends")
    kind = models.CharField(max_length=9, choices=choices(EndKind))
    reason = models.TextField()
    void_title = models.BooleanField(default=False)
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="grant_end_kind_known", condition=one_of("kind", EndKind)),
            models.CheckConstraint(name="grant_end_reasoned", condition=~Q(reason="") & ~Q(actor="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"
