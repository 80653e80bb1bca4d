from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0006_tags_at")]

    operations = [
        migrations.AddField("attempt", "worker", models.CharField(blank=True, db_default="", max_length=255)),
    ]
