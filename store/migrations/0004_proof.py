"""Signed certificates and their place in the audit chain."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0003_clearing_at_scale")]

    operations: list[Any] = []
