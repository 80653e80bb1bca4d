"""`manage.py democode ROLE`: what the authenticator app of a reviewer of the demo would show now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from store.demo import cast


class Command(BaseCommand):
    help = "Prints the one-time code of a reviewer of the demo, good for about half a minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", nargs="?", default="reviewer", choices=cast.REVIEWERS)

    def handle(self, *_args: object, **options: Any) -> None:
        user = cast.account(options["role"])
        code = cast.code_of(user) if user else ""
        if not code:
            raise CommandError("There is no such account yet, or it has no second factor. Run `make demo` first.")
        self.stdout.write(code)
