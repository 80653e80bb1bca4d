"""What a record may say beyond the first release."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("licensing", "0008_notice_lifecycle")]

    operations: list[Any] = []
