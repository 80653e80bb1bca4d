"""Records for whole catalogues, tariffs as data, and approvals by two reviewers."""

import django.db.models.deletion
from django.db import migrations, models

from licensing.migrations._append_only import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_composition"),
        ("licensing", "0002_promises"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tariff", models.CharField(max_length=40)),
                ("territory", models.CharField(max_length=2)),
                (
                    "use",
                    models.CharField(
                        choices=[
                            ("PERMANENT_DOWNLOAD", "Permanent download"),
                            ("FREE_DOWNLOAD", "Free download"),
                            ("PREVIEW", "Preview"),
                            ("STREAM", "Stream"),
                            ("REDOWNLOAD", "Redownload"),
                        ],
                        max_length=20,
                    ),
                ),
                ("valid_from", models.DateField()),
                ("valid_to", models.DateField(blank=True, null=True)),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("FLAT", "Flat"),
                            ("PER_MINUTE_OVER", "Per minute over"),
                            ("PERCENT", "Percent"),
                            ("GREATER_OF", "Greater of"),
                            ("GREATER_OF_WITH_MIN", "Greater of with min"),
                        ],
                        max_length=24,
                    ),
                ),
                ("percent_numerator", models.BigIntegerField(blank=True, null=True)),
                ("percent_denominator", models.BigIntegerField(default=1)),
                (
                    "base",
                    models.CharField(
                        blank=True, choices=[("GROSS_EX_TAX", "Gross ex tax"), ("NET", "Net")], max_length=12
                    ),
                ),
                ("flat_micros", models.BigIntegerField(blank=True, null=True)),
                ("per_minute_micros", models.BigIntegerField(blank=True, null=True)),
                ("per_minute_over_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("minimum_micros", models.BigIntegerField(blank=True, null=True)),
                ("tracks_from", models.PositiveIntegerField(default=1)),
                ("tracks_to", models.PositiveIntegerField(blank=True, null=True)),
                ("currency", models.CharField(max_length=3)),
                ("payee_model", models.CharField(blank=True, max_length=40)),
                ("source", models.CharField(max_length=500)),
                ("recorded_by", models.CharField(max_length=100)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["tariff", "territory", "valid_from", "tracks_from"],
            },
        ),
        migrations.CreateModel(
            name="RateVerification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("verified_by", models.CharField(max_length=100)),
                ("verified_on", models.DateField()),
                ("note", models.TextField(blank=True)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="licencegrant",
            name="grant_one_subject",
        ),
        migrations.RemoveConstraint(
            model_name="licencegrant",
            name="grant_subject_fits_layer",
        ),
        migrations.AddField(
            model_name="licencegrant",
            name="agreement",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="licencegrant",
            name="catalogue",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.party"
            ),
        ),
        migrations.AddField(
            model_name="licencegrant",
            name="tariff",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="review",
            name="second_needed",
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name="licencegrant",
            index=models.Index(
                condition=models.Q(("agreement", ""), _negated=True), fields=["agreement"], name="grant_by_agreement"
            ),
        ),
        migrations.AddConstraint(
            model_name="licencegrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("catalogue__isnull", True), ("recording__isnull", False), ("work__isnull", True)),
                    models.Q(("catalogue__isnull", True), ("recording__isnull", True), ("work__isnull", False)),
                    models.Q(("catalogue__isnull", False), ("recording__isnull", True), ("work__isnull", True)),
                    _connector="OR",
                ),
                name="grant_one_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="licencegrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("layer", "RECORDING"), ("recording__isnull", False)),
                    models.Q(("layer", "WORK"), ("work__isnull", False)),
                    models.Q(("recording__isnull", False), models.Q(("material", ""), _negated=True)),
                    models.Q(("catalogue__isnull", False), ("material", "")),
                    _connector="OR",
                ),
                name="grant_subject_fits_layer",
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.UniqueConstraint(
                fields=("tariff", "territory", "use", "valid_from", "tracks_from"), name="rate_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("use__in", ["PERMANENT_DOWNLOAD", "FREE_DOWNLOAD", "PREVIEW", "STREAM", "REDOWNLOAD"])
                ),
                name="rate_use_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("method__in", ["FLAT", "PER_MINUTE_OVER", "PERCENT", "GREATER_OF", "GREATER_OF_WITH_MIN"])
                ),
                name="rate_method_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(("base__in", ["GROSS_EX_TAX", "NET", ""])), name="rate_base_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(("territory__regex", "^[A-Z]{2}$")), name="rate_place"
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="rate_currency"
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_to", None), ("valid_to__gte", models.F("valid_from")), _connector="OR"),
                name="rate_dates_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("source", ""), _negated=True),
                    models.Q(("recorded_by", ""), _negated=True),
                    models.Q(("tariff", ""), _negated=True),
                ),
                name="rate_has_source",
            ),
        ),
        migrations.AddField(
            model_name="rateverification",
            name="rate",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="verifications", to="licensing.rate"
            ),
        ),
        migrations.AddConstraint(
            model_name="rateverification",
            constraint=models.CheckConstraint(
                condition=models.Q(("verified_by", ""), _negated=True), name="rate_verified_by_somebody"
            ),
        ),
        *(append_only(table) for table in ("licensing_rate", "licensing_rateverification")),
    ]
