"""What the workbench keeps for the store."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0004_proof")]

    operations: list[Any] = []
