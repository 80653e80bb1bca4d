"""`manage.py certificates verify [ID or FILE …]`: recompute every hash and signature that certificates name.

An id is looked up here; a file is checked by itself, against the keys of this store or those of `--keys`, and asks
neither the database nor the network where `--keys` is given.
"""

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from catalog.codes import is_public_id
from store import certificates, proofs, signing
from store.models import Certificate


class Command(BaseCommand):
    help = "Verify certificates: signature, document, ledger transfer, decisions, kept evidence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["verify"])
        parser.add_argument("which", nargs="*", help="public ids, or files; all certificates where none is given")
        parser.add_argument("--keys", type=Path, help="public keys, as /proof/keys.json gives them, for files")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        files = [Path(which) for which in options["which"] if not is_public_id(which)]
        ids = [which for which in options["which"] if is_public_id(which)]
        found: dict[str, list[str]] = {}
        if files:
            found |= _files(files, _keys(options["keys"]))
        if ids or not files:
            found |= dict(_kept(ids))
        self._say(found, as_json=options["json"])

    def _say(self, found: Mapping[str, Sequence[str]], *, as_json: bool) -> None:
        """Status 1 where one does not hold."""
        wrong = {name: problems for name, problems in found.items() if problems}
        if as_json:
            self.stdout.write(json.dumps({"checked": len(found), "wrong": wrong}))
        else:
            for name, problems in wrong.items():
                self.stdout.write(f"{name}: {'; '.join(problems)}")
            self.stdout.write(f"{len(found)} certificates checked, {len(wrong)} do not hold.")
        if wrong:
            raise CommandError(f"{len(wrong)} certificates do not hold.")


def _keys(path: Path | None) -> dict[str, bytes]:
    if path is None:
        return proofs.public_keys()
    try:
        return signing.read_keys(path.read_bytes())
    except (OSError, signing.BadFile) as error:
        raise CommandError(f"{path}: {error}") from None


def _files(files: Sequence[Path], keys: Mapping[str, bytes]) -> dict[str, list[str]]:
    found = {}
    for path in files:
        try:
            signed = signing.read(path.read_bytes())
        except (OSError, signing.BadFile) as error:
            found[str(path)] = [str(error)]
            continue
        problems = signing.problems(signed, keys)
        if signed.document.get("type") != certificates.TYPE and signed.signatures:
            problems.append("it is signed, but not as a certificate")
        found[str(path)] = problems
    return found


def _kept(ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    chosen = Certificate.objects.select_related("key").order_by("pk")
    if ids:
        chosen = chosen.filter(public_id__in=ids)
        if chosen.count() != len({UUID(each) for each in ids}):
            raise CommandError("There is no certificate with one of these ids.")
    for certificate in chosen.iterator():
        yield str(certificate.public_id), certificates.check(certificate)
