"""`manage.py demo`: set up a store, run the main job before the user's eyes, then serve it. `make demo` calls this."""

import json
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from licensing.errors import LicensingError
from payments.errors import PaymentsError
from store import embedded
from store.demo import cast, catalogue, main_job
from store.demo.processes import Keeper
from store.demo.screen import Screen
from store.demo.visitor import PageFailed
from store.errors import StoreError
from transcoding.errors import TranscodingError

NOTHING_CLEARED, FAILED = 3, 1
START_SECONDS = 60
FAILURES = (main_job.JobFailed, PageFailed, StoreError, PaymentsError, LicensingError, TranscodingError)


class Command(BaseCommand):
    help = "Runs the main job before your eyes, then serves the shop. Started by `make demo`."
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--folder", type=Path, help="deliver these recordings instead of the demo catalogue")
        parser.add_argument("--no-serve", action="store_true", help="end after the main job")
        parser.add_argument("--report", type=Path, help="write what happened here, as JSON")
        parser.add_argument("--port", type=int, required=True, help="where the shop is served")
        parser.add_argument("--no-own-works", action="store_true", help="do not declare the works the performers' own")

    def handle(self, *_args: object, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        screen, port = Screen(), options["port"]
        embedded.announce_web(port)
        people = cast.people()
        with Keeper(port).running():
            _wait_for_web(port)
            job = self._job(options, people, screen)
            status = self._run(job, options)
            if status in {0, NOTHING_CLEARED} and not options["no_serve"]:
                _print_sign_ins(screen, people)
                _wait_for_interrupt(screen)
        if status:
            sys.exit(status)  # what went wrong was said where it did

    def _job(self, options: dict[str, Any], people: dict[str, cast.Person], screen: Screen) -> main_job.Job:
        folder: Path | None = options["folder"]
        shares = (
            {"Folder Label": Decimal(100)} if folder else {catalogue.LABEL: Decimal(30), catalogue.ARTIST: Decimal(70)}
        )
        return main_job.Job(
            folder=folder or settings.HOME / "demo-catalogue",
            label_name="Folder Label" if folder else catalogue.LABEL,
            own_works=not options["no_own_works"],
            site=settings.SITE_URL,
            screen=screen,
            people=people,
            payees=shares,
        )

    def _run(self, job: main_job.Job, options: dict[str, Any]) -> int:
        """Run the main job, unless this store has been through it; write the report; the exit status."""
        kept = settings.HOME / "demo-report.json"
        if kept.exists():
            job.screen.line("This store has been through the main job already; its report is kept.")
            status = 0 if json.loads(kept.read_text(encoding="utf-8"))["tracks_cleared"] else NOTHING_CLEARED
        else:
            status = self._run_fresh(job, options, kept)
        if options["report"] and kept.exists():
            shutil.copyfile(kept, options["report"])
        return status

    def _run_fresh(self, job: main_job.Job, options: dict[str, Any], kept: Path) -> int:
        try:
            if not options["folder"]:
                with job.screen.step("compose", "0  The demo catalogue: composed, performed, encoded"):
                    _compose(job)
            status = 0 if main_job.run(job) else NOTHING_CLEARED
        except FAILURES as error:
            job.screen.line(f"\nThe main job stopped: {error}")
            job.report["failed"] = str(error)
            status = FAILED
        job.report["seconds"] = job.screen.seconds
        text = json.dumps(job.report, indent=2, ensure_ascii=False) + "\n"
        if status != FAILED:
            kept.write_text(text, encoding="utf-8")
        elif options["report"]:
            options["report"].write_text(text, encoding="utf-8")
        return status


def _compose(job: main_job.Job) -> None:
    done = 0

    def on_piece(piece: catalogue.Piece) -> None:
        nonlocal done
        done += 1
        job.screen.bar(done, len(catalogue.PIECES), f"pieces, the latest “{piece.title}”")

    job.folder.mkdir(parents=True, exist_ok=True)
    catalogue.write(job.folder, on_piece=on_piece)


def _wait_for_web(port: int) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise CommandError(f"The web server did not start; see {settings.HOME / 'log' / 'web.log'}.")


def _print_sign_ins(screen: Screen, people: dict[str, cast.Person]) -> None:
    screen.line(f"\nThe shop is open: {settings.SITE_URL}\n")
    for person in people.values():
        screen.line(f"  {person.role:<9} {person.user.email:<24} {person.password}{_code(person)}")
    screen.line("\n  A reviewer's code of the moment: manage.py democode reviewer (or: second)")
    screen.line("\n  label: /studio/   reviewer: /review/   admin: /admin/\n\nCtrl-C stops everything.")


def _code(person: cast.Person) -> str:
    return f"   code now: {person.code}" if person.code else ""


def _wait_for_interrupt(screen: Screen) -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        screen.line("\nStopping…")
