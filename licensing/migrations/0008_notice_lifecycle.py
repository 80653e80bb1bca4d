"""Counter-notices, deadlines and reports from the public."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("licensing", "0007_workbench")]

    operations: list[Any] = []
