from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_musicbrainz")]

    operations = [
        migrations.AddField(
            "party",
            "more_permissions_url",
            models.URLField(
                blank=True,
                db_default="",
                help_text="Where more than a licence gives is asked for: film, adverts, a contract.",
                max_length=500,
            ),
        ),
    ]
