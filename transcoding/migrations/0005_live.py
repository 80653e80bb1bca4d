"""What is watched while it is made."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0004_uploads")]

    operations = []
