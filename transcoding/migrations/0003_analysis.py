"""What is measured in a master, where a preview begins, and how far examination and encoding have come."""

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
