"""A payee's slice of the ledger: whole, checkable by its file alone, and of no use once anything in it is changed."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client

from catalog.models import Party
from payments import accounts, audit, chain, ledger, merkle
from payments.models import Payee
from store import books, proofs, signing, slice_check, slices
from store.models import Membership, User
from tests.factories import shelf
from tests.factories.payments import make_payee, post_earning, post_sale
from tests.factories.shelf import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> Payee:
    """Bob earned twice, others in between; all of it sealed, and the day's head signed."""
    bob = make_payee()
    post_sale(bob, reference="posting:1")
    for micros in range(1, 6):
        post_earning(make_payee(), micros)
    post_earning(bob, 5)
    chain.seal_new(at=NOW)
    proofs.sign_head(at=NOW)
    return bob


def keys() -> dict[str, bytes]:
    return signing.read_keys(json.dumps(proofs.keys_document()).encode())


def test_a_slice_holds_what_the_payee_earned_and_checks_by_itself(bob: Payee) -> None:
    found = slice_check.check(slices.lines(bob), keys())
    assert (found.problem, found.transfers, found.position) == ("", 2, 7)
    assert found.balances == {f"payee:{bob.public_id}:EUR": ledger.balance(accounts.payee(bob, "EUR"))}


def test_a_slice_names_nobody(bob: Payee) -> None:
    text = "".join(slices.lines(bob))
    assert bob.name not in text
    assert bob.email not in text


def test_what_came_after_the_head_is_in_the_slice_of_the_next_day(bob: Payee) -> None:
    post_earning(bob, 7)
    chain.seal_new(at=NOW)
    assert slice_check.check(slices.lines(bob), keys()).transfers == 2


def test_a_payee_that_never_earned_has_an_empty_slice(bob: Payee) -> None:
    found = slice_check.check(slices.lines(make_payee()), keys())
    assert (found.problem, found.transfers, found.balances) == ("", 0, {})


def amount(rows: list[Any]) -> None:
    rows[1]["transfer"][7][4][3] += 1


def place(rows: list[Any]) -> None:
    rows[1]["position"] += 1


def path(rows: list[Any]) -> None:
    rows[1]["path"][0] = "0" * 64


def head(rows: list[Any]) -> None:
    rows[0]["head"]["signed"]["ledger"]["position"] += 1


def unsigned(rows: list[Any]) -> None:
    rows[0]["head"]["signatures"] = []


def balance(rows: list[Any]) -> None:
    rows[-1]["balances"] = {key: value + 1 for key, value in rows[-1]["balances"].items()}


def anothers(rows: list[Any]) -> None:
    rows[0]["accounts"] = ["payee:somebody:EUR"]


def no_slice(rows: list[Any]) -> None:
    rows[0]["type"] = "head of the chains"


CHANGES: list[Callable[[list[Any]], object]] = [
    amount, place, path, head, unsigned, balance, anothers, no_slice,
    lambda rows: rows.pop(1), lambda rows: rows.insert(2, rows[1]), lambda rows: rows.pop(),
    lambda rows: rows.append(rows[-1]),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_in_a_slice_is_found(change: Callable[[list[Any]], object], bob: Payee) -> None:
    rows = [json.loads(line) for line in slices.lines(bob)]
    change(rows)
    assert slice_check.check([json.dumps(row) for row in rows], keys()).problem


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "no json", '{"type":"slice of the ledger","version":1}'])
def test_what_is_no_slice_is_a_problem_and_no_crash(text: str) -> None:
    assert slice_check.check([text], keys()).problem


def test_without_the_root_a_transfer_made_up_afterwards_would_pass(bob: Payee, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: balances and form of the file are right; it is the root alone that shows the forgery."""
    rows = [json.loads(line) for line in slices.lines(bob)]
    for entry in rows[-2]["transfer"][7]:
        entry[3] += 1
    rows[-1]["balances"] = {key: value + 1 for key, value in rows[-1]["balances"].items()}
    forged = [json.dumps(row) for row in rows]
    assert "not under the head" in slice_check.check(forged, keys()).problem
    root = rows[0]["head"]["signed"]["ledger"]["root"]
    monkeypatch.setattr(merkle, "climb", lambda *_args, **_kw: bytes.fromhex(root))
    assert slice_check.check(forged, keys()).problem == ""


def test_the_file_is_checked_without_django_and_without_a_database(bob: Payee, tmp_path: Path) -> None:
    file, kept = tmp_path / "slice.jsonl", tmp_path / "keys.json"
    file.write_text("".join(slices.lines(bob)))
    kept.write_text(json.dumps(proofs.keys_document()))
    done = subprocess.run(
        [sys.executable, "-m", "store.slice_check", str(file), str(kept)],
        env={"PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "2 transfers" in done.stdout) == (0, True), done.stderr
    call_command("ledger", "verify-slice", str(file), "--keys", str(kept))
    file.write_text(file.read_text().replace('"SALE"', '"GIFT"'))
    with pytest.raises(SystemExit):
        call_command("ledger", "verify-slice", str(file), "--keys", str(kept))


def test_the_command_writes_the_slice_of_a_payee(bob: Payee) -> None:
    out = io.StringIO()
    call_command("ledger", "slice", str(bob.public_id), stdout=out)
    assert slice_check.check(out.getvalue().splitlines(), keys()).transfers == 2
    with pytest.raises(CommandError, match="no payee"):
        call_command("ledger", "slice", "nobody")


def test_without_a_signed_head_there_is_no_slice_yet() -> None:
    with pytest.raises(CommandError, match="signed once a day"):
        call_command("ledger", "slice", str(make_payee().public_id))


def test_seals_that_no_longer_have_a_signed_root_are_named(bob: Payee) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE payments_transferseal SET sha256 = repeat('a', 64) WHERE position = 7")
        cursor.execute("SET LOCAL session_replication_role = origin")
    problem = books.verify()
    assert problem is not None
    assert "root that was signed" in problem.what
    assert audit.verify().problem is not None


@pytest.fixture
def label(alice: User) -> Party:
    release = shelf.shelve()
    letter = shelf.make_letter(shelf.make_holder(release.label))
    Membership.objects.create(user=alice, label=release.label, role="OWNER")
    post_earning(letter.payee, 5)
    chain.seal_new(at=NOW)
    return release.label


def test_a_label_downloads_the_slice_of_its_payee_and_of_no_other(label: Party, client: Client, alice: User) -> None:
    client.force_login(alice)
    payee = Payee.objects.latest("pk")
    address = f"/studio/{label.slug}/money/payees/{payee.public_id}/slice"
    assert client.get(address).status_code == 302
    proofs.sign_head(at=NOW)
    response = client.get(address)
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert slice_check.check(body.splitlines(), keys()).transfers == 1
    assert client.get(address.replace(str(payee.public_id), str(make_payee().public_id))).status_code == 404
    assert Client().get(address).status_code in {302, 403, 404}
