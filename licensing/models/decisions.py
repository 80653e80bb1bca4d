"""What the store concluded."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from licensing.models.columns import CanonicalJSONField, CountriesField, choices, exactly_one, is_sha256, one_of
from licensing.terms import Use


class ClearanceDecision(models.Model):
    """What the engine concluded about one recording or release and one use: the newest row for them is in force.

    `verdict` is the whole answer with its reasons, in the bytes that `verdict_sha256` is of; `cleared_countries` and
    `good_until` repeat the part that selling asks for on every page. From `good_until` on, only the countries of
    `lasting_countries` are still cleared, and none from `lasting_until` on: a licence that ends in one country takes no
    other off sale while it is asked again.
    `hangs_on` names what the answer hangs on: keys of wide grants, and what a notice may be about (`dossiers`).
    `answer_sha256` leaves out the instant of asking, so that asking again with the same outcome keeps no new row.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recording = models.ForeignKey(
        "catalog.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    release = models.ForeignKey(
        "catalog.Release", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    use = models.CharField(max_length=20, choices=choices(Use))
    at = models.DateTimeField()
    engine = models.CharField(max_length=20)
    cleared_countries = CountriesField(default=list, blank=True)
    good_until = models.DateTimeField(null=True, blank=True)
    lasting_countries = CountriesField(default=list, db_default="", blank=True)
    lasting_until = models.DateTimeField(null=True, blank=True)
    hangs_on = ArrayField(models.BigIntegerField(), default=list, db_default=[], blank=True)
    verdict = CanonicalJSONField()
    verdict_sha256 = models.CharField(max_length=64)
    answer_sha256 = models.CharField(max_length=64)
    sound_sha256 = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(name="decision_one_subject", condition=exactly_one("recording", "release")),
            models.CheckConstraint(name="decision_use_known", condition=one_of("use", Use)),
            models.CheckConstraint(name="decision_has_sha256", condition=is_sha256("verdict_sha256")),
            models.CheckConstraint(name="decision_has_actor", condition=~Q(actor="")),
        ]
        indexes = [
            models.Index(
                name="decision_of_recording", fields=["recording", "use", "-id"], condition=Q(recording__isnull=False)
            ),
            models.Index(
                name="decision_of_release", fields=["release", "use", "-id"], condition=Q(release__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.use} cleared in {len(self.cleared_countries)} countries"
