import uuid

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.contrib.postgres.operations import TrigramExtension, UnaccentExtension
from django.db import migrations, models

import catalog.models

# Immutable, so that indexes may use it; every name carries its schema, so that a dump restores. Apostrophes vanish
# ("don't" is "dont"), other punctuation parts words ("AC/DC" is two).
PLAIN = r"""
CREATE FUNCTION catalog_plain(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN btrim(regexp_replace(translate(
    lower(public.unaccent('public.unaccent'::regdictionary, normalize(value, NFKC))), '''`', ''),
    '[][\s!"#$%&()*+,./:;<=>?@\\^_{|}~-]+', ' ', 'g'));
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        UnaccentExtension(),
        TrigramExtension(),
        migrations.RunSQL(PLAIN, "DROP FUNCTION catalog_plain(text)"),
        migrations.CreateModel(
            name="Party",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=500)),
                ("sort_name", models.CharField(max_length=500)),
                ("slug", models.SlugField(max_length=120, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("PERSON", "person"), ("GROUP", "group"), ("ORGANISATION", "organisation")],
                        default="GROUP",
                        max_length=12,
                    ),
                ),
                ("isni", models.CharField(blank=True, max_length=16, null=True, unique=True)),
                ("ipi", models.CharField(blank=True, max_length=11)),
                ("url", models.URLField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("search_vector", django.contrib.postgres.search.SearchVectorField(editable=False, null=True)),
            ],
            options={
                "verbose_name_plural": "parties",
                "ordering": ["sort_name", "pk"],
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["search_vector"], name="party_search"),
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.indexes.OpClass(
                            catalog.models.Plain(models.F("name")), name="gin_trgm_ops"
                        ),
                        name="party_name_trigrams",
                    ),
                    models.Index(django.db.models.functions.text.Upper("name"), name="party_name_upper"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True), models.Q(("slug", ""), _negated=True)
                        ),
                        name="party_name_not_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("isni__regex", "^[0-9]{15}[0-9X]$")), name="party_isni_form"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ipi", ""), ("ipi__regex", "^[0-9]{11}$"), _connector="OR"),
                        name="party_ipi_form",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Recording",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=500)),
                ("version_title", models.CharField(blank=True, max_length=500)),
                ("isrc", models.CharField(blank=True, max_length=12, null=True, unique=True, verbose_name="ISRC")),
                ("p_line", models.CharField(blank=True, max_length=500, verbose_name="P-line")),
                ("language", models.CharField(blank=True, max_length=35)),
                ("genre", models.CharField(blank=True, max_length=100)),
                ("year", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("is_cover", models.BooleanField(default=False)),
                ("is_remix", models.BooleanField(default=False)),
                ("is_arrangement", models.BooleanField(default=False)),
                ("contains_samples", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("search_vector", django.contrib.postgres.search.SearchVectorField(editable=False, null=True)),
                (
                    "label",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="issued_recordings",
                        to="catalog.party",
                    ),
                ),
            ],
            options={
                "ordering": ["title", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=500)),
                ("slug", models.SlugField(max_length=120, unique=True)),
                (
                    "gtin",
                    models.CharField(blank=True, max_length=14, null=True, unique=True, verbose_name="barcode (GTIN)"),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("ALBUM", "album"), ("SINGLE", "single"), ("EP", "EP")], default="ALBUM", max_length=6
                    ),
                ),
                ("release_date", models.DateField(blank=True, null=True)),
                ("c_line", models.CharField(blank=True, max_length=500, verbose_name="C-line")),
                ("p_line", models.CharField(blank=True, max_length=500, verbose_name="P-line")),
                ("genre", models.CharField(blank=True, max_length=100)),
                ("language", models.CharField(blank=True, max_length=35)),
                ("description", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("search_vector", django.contrib.postgres.search.SearchVectorField(editable=False, null=True)),
                (
                    "label",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="issued_releases", to="catalog.party"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Track",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("disc", models.PositiveSmallIntegerField(default=1)),
                ("number", models.PositiveSmallIntegerField()),
                ("title_override", models.CharField(blank=True, max_length=500)),
                (
                    "recording",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tracks", to="catalog.recording"
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tracks", to="catalog.release"
                    ),
                ),
            ],
            options={
                "ordering": ["disc", "number"],
            },
        ),
        migrations.AddField(
            model_name="release",
            name="recordings",
            field=models.ManyToManyField(related_name="releases", through="catalog.Track", to="catalog.recording"),
        ),
        migrations.CreateModel(
            name="Work",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=500)),
                ("iswc", models.CharField(blank=True, max_length=11, null=True, unique=True, verbose_name="ISWC")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                "ordering": ["title", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("title", ""), _negated=True), name="work_title_not_empty"
                    ),
                    models.CheckConstraint(condition=models.Q(("iswc__regex", "^T[0-9]{10}$")), name="work_iswc_form"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RecordingWork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=1)),
                (
                    "recording",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recording_works",
                        to="catalog.recording",
                    ),
                ),
                (
                    "work",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="recording_works", to="catalog.work"
                    ),
                ),
            ],
            options={
                "ordering": ["position", "pk"],
            },
        ),
        migrations.AddField(
            model_name="recording",
            name="works",
            field=models.ManyToManyField(related_name="recordings", through="catalog.RecordingWork", to="catalog.work"),
        ),
        migrations.CreateModel(
            name="Credit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("MAIN_ARTIST", "main artist"),
                            ("FEATURED_ARTIST", "featured artist"),
                            ("PERFORMER", "performer"),
                            ("CONDUCTOR", "conductor"),
                            ("REMIXER", "remixer"),
                            ("PRODUCER", "producer"),
                            ("COMPOSER", "composer"),
                            ("LYRICIST", "lyricist"),
                            ("ARRANGER", "arranger"),
                            ("PUBLISHER", "publisher"),
                        ],
                        max_length=16,
                    ),
                ),
                ("credited_as", models.CharField(blank=True, max_length=500)),
                ("position", models.PositiveSmallIntegerField(default=1)),
                (
                    "party",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credits", to="catalog.party"
                    ),
                ),
                (
                    "recording",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credits",
                        to="catalog.recording",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credits",
                        to="catalog.release",
                    ),
                ),
                (
                    "work",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credits",
                        to="catalog.work",
                    ),
                ),
            ],
            options={
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Artwork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=1)),
                ("file", models.FileField(max_length=200, storage=catalog.models.artwork_storage, upload_to="")),
                ("sha256", models.CharField(max_length=64)),
                ("source_sha256", models.CharField(help_text="Of the image as delivered.", max_length=64)),
                ("media_type", models.CharField(max_length=20)),
                ("width", models.PositiveIntegerField(help_text="Pixels.")),
                ("height", models.PositiveIntegerField(help_text="Pixels.")),
                ("bytes", models.PositiveIntegerField()),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="artworks", to="catalog.release"
                    ),
                ),
            ],
            options={
                "ordering": ["position"],
                "indexes": [models.Index(fields=["sha256"], name="artwork_sha256")],
                "constraints": [
                    models.UniqueConstraint(fields=("release", "position"), name="artwork_position_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sha256__regex", "^[0-9a-f]{64}$"), ("source_sha256__regex", "^[0-9a-f]{64}$")
                        ),
                        name="artwork_hashes",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="track",
            constraint=models.UniqueConstraint(fields=("release", "disc", "number"), name="track_place_once"),
        ),
        migrations.AddConstraint(
            model_name="track",
            constraint=models.UniqueConstraint(fields=("release", "recording"), name="track_recording_once"),
        ),
        migrations.AddConstraint(
            model_name="track",
            constraint=models.CheckConstraint(
                condition=models.Q(("disc__gte", 1), ("number__gte", 1)), name="track_numbers_from_one"
            ),
        ),
        migrations.AddIndex(
            model_name="release",
            index=django.contrib.postgres.indexes.GinIndex(fields=["search_vector"], name="release_search"),
        ),
        migrations.AddIndex(
            model_name="release",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(catalog.models.Plain(models.F("title")), name="gin_trgm_ops"),
                name="release_title_trigrams",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("title", ""), _negated=True), models.Q(("slug", ""), _negated=True)),
                name="release_title_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.CheckConstraint(
                condition=models.Q(("gtin__regex", "^[0-9]{12,14}$")), name="release_gtin_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="recordingwork",
            constraint=models.UniqueConstraint(fields=("recording", "work"), name="recording_work_once"),
        ),
        migrations.AddConstraint(
            model_name="recordingwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("position__gte", 1)), name="recording_work_position_from_one"
            ),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=django.contrib.postgres.indexes.GinIndex(fields=["search_vector"], name="recording_search"),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(catalog.models.Plain(models.F("title")), name="gin_trgm_ops"),
                name="recording_title_trigrams",
            ),
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=models.CheckConstraint(
                condition=models.Q(("title", ""), _negated=True), name="recording_title_not_empty"
            ),
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=models.CheckConstraint(
                condition=models.Q(("isrc__regex", "^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$")), name="recording_isrc_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("recording__isnull", False), ("release__isnull", True), ("work__isnull", True)),
                    models.Q(("recording__isnull", True), ("release__isnull", True), ("work__isnull", False)),
                    models.Q(("recording__isnull", True), ("release__isnull", False), ("work__isnull", True)),
                    _connector="OR",
                ),
                name="credit_has_one_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.UniqueConstraint(fields=("recording", "party", "role"), name="credit_once_per_recording"),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.UniqueConstraint(fields=("work", "party", "role"), name="credit_once_per_work"),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.UniqueConstraint(fields=("release", "party", "role"), name="credit_once_per_release"),
        ),
    ]
