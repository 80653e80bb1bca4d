"""The tariffs that are known."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("licensing", "0003_whole_catalogues")]

    operations: list[Any] = []
