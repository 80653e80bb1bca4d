"""Statutory rates and societies' tariffs: data with dates and sources, never code."""

from django.db import models
from django.db.models import F, Q

from licensing.models.columns import choices, one_of
from licensing.terms import RateBase, RateMethod, Use


class Rate(models.Model):
    """What a tariff asks for one use in one country from a day on. Amounts are millionths of the currency's main unit.

    It counts only once somebody has verified it against its source (`RateVerification`); a change is a new row with
    another `valid_from`. `tracks_from` and `tracks_to` bound the number of tracks of the release it is for.
    """

    append_only = True

    tariff = models.CharField(max_length=40)
    territory = models.CharField(max_length=2)
    use = models.CharField(max_length=20, choices=choices(Use))
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    method = models.CharField(max_length=24, choices=choices(RateMethod))
    percent_numerator = models.BigIntegerField(null=True, blank=True)
    percent_denominator = models.BigIntegerField(default=1)
    base = models.CharField(max_length=12, choices=choices(RateBase), blank=True)
    flat_micros = models.BigIntegerField(null=True, blank=True)
    per_minute_micros = models.BigIntegerField(null=True, blank=True)
    per_minute_over_seconds = models.PositiveIntegerField(null=True, blank=True)
    minimum_micros = models.BigIntegerField(null=True, blank=True)
    tracks_from = models.PositiveIntegerField(default=1)
    tracks_to = models.PositiveIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    payee_model = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=500)
    recorded_by = models.CharField(max_length=100)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["tariff", "territory", "valid_from", "tracks_from"]
        constraints = [
            models.UniqueConstraint(
                name="rate_once", fields=["tariff", "territory", "use", "valid_from", "tracks_from"]
            ),
            models.CheckConstraint(name="rate_use_known", condition=one_of("use", Use)),
            models.CheckConstraint(name="rate_method_known", condition=one_of("method", RateMethod)),
            models.CheckConstraint(name="rate_base_known", condition=one_of("base", RateBase, blank=True)),
            models.CheckConstraint(name="rate_place", condition=Q(territory__regex=r"^[A-Z]{2}$")),
            models.CheckConstraint(name="rate_currency", condition=Q(currency__regex=r"^[A-Z]{3}$")),
            models.CheckConstraint(
                name="rate_dates_in_order", condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from"))
            ),
            models.CheckConstraint(
                name="rate_has_source", condition=~Q(source="") & ~Q(recorded_by="") & ~Q(tariff="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tariff} {self.territory} from {self.valid_from}"


class RateVerification(models.Model):
    """Somebody compared a rate with its source on a day."""

    append_only = True

    rate = models.ForeignKey(Rate, on_delete=models.PROTECT, related_name="verifications")
    verified_by = models.CharField(max_length=100)
    verified_on = models.DateField()
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="rate_verified_by_somebody", condition=~Q(verified_by=""))]

    def __str__(self) -> str:
        return f"verified on {self.verified_on}"
