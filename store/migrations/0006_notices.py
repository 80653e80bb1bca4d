"""Reports from the public and warnings before a licence ends."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0005_workbench")]

    operations: list[Any] = []
