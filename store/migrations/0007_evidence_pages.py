"""Pages of evidence as pictures."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0006_notices")]

    operations: list[Any] = []
