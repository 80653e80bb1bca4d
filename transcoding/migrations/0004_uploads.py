"""Files that arrive in pieces, the parcels they are gathered in, and when kept bytes were last looked at."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_composition"), ("transcoding", "0003_analysis")]

    operations = [
        migrations.CreateModel(
            name="Parcel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("actor", models.CharField(max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "being gathered"),
                            ("HANDED_IN", "waiting to be taken"),
                            ("TAKEN", "taken"),
                            ("FAILED", "given up"),
                        ],
                        default="OPEN",
                        max_length=9,
                    ),
                ),
                ("order", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("handed_in_at", models.DateTimeField(blank=True, null=True)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("claimed_until", models.DateTimeField(blank=True, null=True)),
                ("error", models.TextField(blank=True)),
                (
                    "label",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.party"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(state="OPEN"), fields=("label", "actor"), name="one_open_parcel_per_person"
                    ),
                    models.CheckConstraint(
                        condition=Q(state="OPEN", handed_in_at__isnull=True)
                        | ~Q(state="OPEN") & Q(handed_in_at__isnull=False),
                        name="parcel_handed_in_once",
                    ),
                ],
                "indexes": [
                    models.Index(condition=Q(state="HANDED_IN"), fields=["handed_in_at"], name="parcel_owed"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Arrival",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("path", models.CharField(max_length=1000)),
                ("length", models.BigIntegerField()),
                ("received", models.BigIntegerField(default=0)),
                ("pieces", models.JSONField(blank=True, default=dict)),
                ("promised_sha256", models.CharField(blank=True, max_length=64)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[("ARRIVING", "on its way"), ("WHOLE", "here")], default="ARRIVING", max_length=8
                    ),
                ),
                ("fence", models.PositiveIntegerField(default=0)),
                ("claimed_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "parcel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrivals",
                        to="transcoding.parcel",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("parcel", "path"), name="one_arrival_per_place"),
                    models.CheckConstraint(
                        condition=Q(received__gte=0, received__lte=F("length")), name="arrival_received_within_length"
                    ),
                    models.CheckConstraint(
                        condition=~Q(state="WHOLE") | Q(received=F("length"), sha256__regex="^[0-9a-f]{64}$"),
                        name="whole_arrival_is_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ByteLook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "place",
                    models.CharField(choices=[("RENDITION", "rendition"), ("ARTWORK", "cover")], max_length=9),
                ),
                ("key", models.CharField(max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("found_sha256", models.CharField(blank=True, max_length=64, null=True)),
                ("wrong_since", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("place", "key"), name="one_look_per_key"),
                ],
                "indexes": [
                    models.Index(fields=["due_at", "id"], name="byte_look_due"),
                    models.Index(
                        condition=Q(wrong_since__isnull=False), fields=["place", "key"], name="byte_look_wrong"
                    ),
                ],
            },
        ),
    ]
