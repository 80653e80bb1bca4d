"""What a buyer asks for."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0008_what_offers_rest_on")]

    operations = []
