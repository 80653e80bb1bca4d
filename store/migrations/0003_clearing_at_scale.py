"""Offers that can be listed by country, and marks for wide changes."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0002_promises"), ("licensing", "0009_records"), ("catalog", "0003_composition")]

    operations: list[Any] = []
