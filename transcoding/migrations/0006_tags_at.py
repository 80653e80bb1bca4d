"""Since when a rendition's tags are the right ones."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0005_live")]

    operations = [
        migrations.AddField("rendition", "tags_at", models.DateTimeField(default=django.utils.timezone.now)),
    ]
