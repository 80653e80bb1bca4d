"""Ids by which MusicBrainz knows parties, works, recordings, releases and tracks."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_composition")]

    operations = [
        *(
            migrations.AddField(
                model, "musicbrainz_id", models.UUIDField(blank=True, null=True, verbose_name="MusicBrainz id")
            )
            for model in ("party", "work", "recording", "release", "track")
        ),
        migrations.AddField(
            "release",
            "musicbrainz_group_id",
            models.UUIDField(blank=True, null=True, verbose_name="MusicBrainz release group id"),
        ),
    ]
