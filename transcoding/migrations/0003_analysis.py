"""What is measured in a master, where a preview begins, and how far examination and encoding have come."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_composition"),
        ("transcoding", "0002_promises"),
    ]

    operations = [
        migrations.AddField(
            model_name="master",
            name="permille",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="rendition",
            name="permille",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.CreateModel(
            name="Analysis",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recipe", models.PositiveSmallIntegerField()),
                ("loudness", models.IntegerField(blank=True, null=True)),
                ("loudness_range", models.IntegerField(blank=True, null=True)),
                ("true_peak", models.IntegerField(blank=True, null=True)),
                ("curve", models.JSONField(blank=True, default=list)),
                ("cutoff_hz", models.PositiveIntegerField(default=0)),
                ("true_depth", models.PositiveSmallIntegerField(default=0)),
                ("fingerprint", models.TextField(blank=True)),
                ("spectrum_key", models.CharField(blank=True, max_length=200)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "master",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="analysis", to="transcoding.master"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "analyses",
            },
        ),
        migrations.CreateModel(
            name="Fingerprint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), blank=True, default=list, size=None
                    ),
                ),
                ("compared_at", models.DateTimeField(blank=True, null=True)),
                (
                    "master",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="transcoding.master"
                    ),
                ),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["marks"], name="fingerprint_marks"),
                    models.Index(
                        condition=models.Q(("compared_at", None)), fields=["master"], name="fingerprint_not_compared"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Likeness",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seconds", models.PositiveSmallIntegerField()),
                ("permille", models.PositiveSmallIntegerField()),
                (
                    "one",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="transcoding.master"
                    ),
                ),
                (
                    "other",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="transcoding.master"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "likenesses",
                "constraints": [
                    models.UniqueConstraint(fields=("one", "other"), name="one_likeness_of_two"),
                    models.CheckConstraint(
                        condition=models.Q(("one__lt", models.F("other"))), name="likeness_names_the_older_first"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PreviewStart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("milliseconds", models.PositiveIntegerField()),
                ("actor", models.CharField(max_length=80)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "recording",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.recording"
                    ),
                ),
            ],
        ),
    ]
