"""Who controls how much of a work, and who has given it to a society."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_promises"),
    ]

    operations = [
        migrations.CreateModel(
            name="SocietyMembership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "right",
                    models.CharField(
                        choices=[("MECHANICAL", "mechanical right"), ("PERFORMING", "performing right")], max_length=10
                    ),
                ),
                ("territory_mode", models.CharField(default="WORLD_EXCEPT", max_length=12)),
                (
                    "territories",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=2), blank=True, default=list, size=None
                    ),
                ),
                ("joined_on", models.DateField(blank=True, null=True)),
                ("left_on", models.DateField(blank=True, null=True)),
                ("online_excluded", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "party",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="memberships", to="catalog.party"
                    ),
                ),
                (
                    "society",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="members", to="catalog.party"
                    ),
                ),
            ],
            options={
                "ordering": ["party", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("right__in", ["MECHANICAL", "PERFORMING"])), name="membership_right_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("territory_mode", "WORLD_EXCEPT"),
                            models.Q(("territories__len__gt", 0), ("territory_mode", "ONLY")),
                            _connector="OR",
                        ),
                        name="membership_territory_given",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("party", models.F("society")), _negated=True),
                        name="membership_not_of_itself",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("joined_on", None),
                            ("left_on", None),
                            ("joined_on__lte", models.F("left_on")),
                            _connector="OR",
                        ),
                        name="membership_dates_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkShare",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("C", "composer"),
                            ("A", "author of the words"),
                            ("CA", "composer and author"),
                            ("AR", "arranger"),
                            ("AD", "adaptor"),
                            ("TR", "translator"),
                            ("E", "original publisher"),
                            ("SE", "sub-publisher"),
                            ("AM", "administrator"),
                            ("PA", "income participant"),
                        ],
                        max_length=2,
                    ),
                ),
                ("mechanical_numerator", models.BigIntegerField(default=0)),
                ("mechanical_denominator", models.BigIntegerField(default=1)),
                ("performing_numerator", models.BigIntegerField(default=0)),
                ("performing_denominator", models.BigIntegerField(default=1)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "party",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="work_shares", to="catalog.party"
                    ),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="writers",
                        to="catalog.workshare",
                    ),
                ),
                (
                    "work",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="shares", to="catalog.work"
                    ),
                ),
            ],
            options={
                "ordering": ["work", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("work", "party", "role"), name="work_share_once"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["C", "A", "CA", "AR", "AD", "TR", "E", "SE", "AM", "PA"])),
                        name="work_share_role_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("mechanical_denominator__gt", 0),
                            ("mechanical_numerator__gte", 0),
                            ("mechanical_numerator__lte", models.F("mechanical_denominator")),
                            ("performing_denominator__gt", 0),
                            ("performing_numerator__gte", 0),
                            ("performing_numerator__lte", models.F("performing_denominator")),
                        ),
                        name="work_share_is_a_part",
                    ),
                ],
            },
        ),
    ]
