"""What a label sees of its deliveries."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0009_formats")]

    operations = []
