"""`manage.py retag` has every finished file looked at again, and given the tags that are right now."""

from typing import Any

from django.core.management.base import BaseCommand

from store import corrections


class Command(BaseCommand):
    help = "Give finished files the tags that are right now, as after a new ID3_VERSION. Nothing is encoded."

    def handle(self, *_args: Any, **_options: Any) -> None:
        marked = corrections.retag_all()
        self.stdout.write(f"{marked} recordings are looked at by the workers; what says the same already stays.")
