"""What is watched while it is made."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0004_uploads")]

    operations = [
        migrations.AddField(
            model_name="rendition",
            name="peaks",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
