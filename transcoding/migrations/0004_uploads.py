"""Uploads in pieces."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0003_analysis")]

    operations = []
