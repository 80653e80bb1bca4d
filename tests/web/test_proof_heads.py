"""Daily heads of the chains: signed, published, and held against what the store says later."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import Error
from django.test import Client

from licensing import audit
from payments import chain
from store import proofs, signing, tasks
from store.models import SignedHead, User
from tests.factories import shelf
from tests.factories.shelf import NOW

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def sealed(alice: User) -> int:
    """A sale with all that stands behind it, in both chains."""
    shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice)
    chain.seal_new(at=NOW)
    return audit.seal_new(at=NOW)


@pytest.fixture
def kept(sealed: int, visitor: Client, alice: User, tmp_path: Path) -> tuple[Path, Path]:
    """Heads of three days and the keys, as somebody fetched and kept them."""
    for day in range(3):
        shelf.make_instrument(f"of day {day}")
        audit.seal_new(at=NOW + day * DAY)
        proofs.sign_head(at=NOW + day * DAY)
    heads, keys = tmp_path / "heads.json", tmp_path / "keys.json"
    heads.write_bytes(visitor.get("/proof/heads.json").content)
    keys.write_bytes(visitor.get("/proof/keys.json").content)
    return heads, keys


def without_guards(statement: str, *values: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)  # type: ignore[arg-type]
        cursor.execute("SET LOCAL session_replication_role = origin")


def found(kept: tuple[Path, Path]) -> str:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "verify", "--heads", str(kept[0]), "--keys", str(kept[1]), stdout=out)
    assert ended.value.code == 1
    return out.getvalue()


# ---- signing -------------------------------------------------------------------------------------------------------


def test_a_head_says_how_far_both_chains_have_come(sealed: int) -> None:
    head = proofs.sign_head(at=NOW)
    document = json.loads(head.text)
    assert (document["audit"]["position"], document["audit"]["sha256"]) == audit.head()
    assert (document["ledger"]["position"], document["ledger"]["sha256"]) == chain.head()
    assert signing.fits(head.key.public_bytes, _signature(head), head.text.encode())


def _signature(head: SignedHead) -> bytes:
    return signing.read(signing.envelope(head.text.encode(), {head.key.key: head.signature})).signatures[head.key.key]


def test_one_head_a_day_is_owed_once_there_is_anything_to_show(alice: User) -> None:
    assert not proofs.head_due(at=NOW)
    shelf.make_instrument("first")
    audit.seal_new(at=NOW)
    assert proofs.head_due(at=NOW)
    first = proofs.sign_head(at=NOW)
    assert not proofs.head_due(at=NOW)
    assert proofs.sign_head(at=NOW + timedelta(hours=1)).pk == first.pk
    assert proofs.head_due(at=NOW + DAY)


def test_the_sweep_rings_for_a_head_that_is_owed(sealed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    for name in ("sign_head", "review_offers", "fetch_missed_events", "send_receipt", "check_order"):
        monkeypatch.setattr(getattr(tasks, name), "delay", lambda *_, name=name: rung.append(name))
    cache.clear()
    tasks.sweep()
    assert "sign_head" in rung
    tasks.sign_head()
    cache.clear()
    rung.clear()
    tasks.sweep()
    assert "sign_head" not in rung


def test_heads_are_never_changed(sealed: int) -> None:
    proofs.sign_head(at=NOW)
    for change in (lambda: SignedHead.objects.update(text="x"), lambda: SignedHead.objects.all().delete()):
        with pytest.raises(Error, match="never changed or deleted"), transaction.atomic():
            change()


def test_the_new_key_is_in_the_chain_itself(sealed: int, settings: LazySettings) -> None:
    settings.CERTIFICATE_KEY = signing.fresh()
    head = proofs.sign_head(at=NOW)
    audit.seal_new(at=NOW)
    assert audit.place_of("store_signingkey", head.key.pk)


# ---- publishing ----------------------------------------------------------------------------------------------------


def test_the_page_and_the_file_show_every_head(kept: tuple[Path, Path], visitor: Client) -> None:
    page = visitor.get("/proof/heads").content.decode()
    heads = proofs.read_heads(kept[0].read_bytes())
    assert len(heads) == 3
    for head in heads:
        digest = head.document["audit"]["sha256"]
        assert " ".join(digest[n : n + 4] for n in range(0, 64, 4)) in page
    assert visitor.get("/proof/heads.json")["Access-Control-Allow-Origin"] == "*"


def test_pages_without_heads_and_keys_say_what_will_be_there(visitor: Client) -> None:
    assert "No head was signed yet" in visitor.get("/proof/heads").content.decode()
    assert "No key has signed yet" in visitor.get("/proof/keys").content.decode()
    assert proofs.read_heads(visitor.get("/proof/heads.json").content) == []


# ---- held against it -----------------------------------------------------------------------------------------------


def test_what_was_kept_fits_what_is_there(kept: tuple[Path, Path]) -> None:
    out = io.StringIO()
    call_command("audit", "verify", "--heads", str(kept[0]), "--keys", str(kept[1]), stdout=out)
    assert "Every row fits" in out.getvalue()
    call_command("audit", "verify", "--json", stdout=(out := io.StringIO()))
    assert json.loads(out.getvalue())["ok"] is True


def test_fewer_heads_kept_are_no_fault(kept: tuple[Path, Path]) -> None:
    listed = json.loads(kept[0].read_text())
    kept[0].write_text(json.dumps({"heads": [listed["heads"][0], listed["heads"][2]]}))
    call_command("audit", "verify", "--heads", str(kept[0]), stdout=io.StringIO())


def _cut_the_end() -> str:
    last = json.loads(SignedHead.objects.latest("day").text)["audit"]["position"]
    without_guards("DELETE FROM licensing_instrument WHERE text = 'of day 2'")
    without_guards("DELETE FROM licensing_auditentry WHERE position >= %s", last)
    without_guards("DELETE FROM store_signedhead WHERE day = (SELECT max(day) FROM store_signedhead)")
    return f"entry {last}: the end was cut off"


def _forge_a_head() -> str:
    text = SignedHead.objects.latest("day").text.replace('"position":', '"position":1')
    without_guards("UPDATE store_signedhead SET text = %s WHERE day = (SELECT max(day) FROM store_signedhead)", text)
    return "head of 2026-11-03: the signature by key"


def _take_a_head_away() -> str:
    without_guards("DELETE FROM store_signedhead WHERE day = '2026-11-02'")
    return "head of 2026-11-03: it does not follow the one before"


def _take_the_last_head_away() -> str:
    without_guards("DELETE FROM store_signedhead WHERE day = '2026-11-03'")
    return "head of 2026-11-03: the store no longer has it"


def _rewrite_the_ledger() -> str:
    without_guards("UPDATE payments_transferseal SET sha256 = repeat('f', 64)")
    return "seal 1: it is not the one that was published"


@pytest.mark.parametrize(
    "tampering",
    [_cut_the_end, _forge_a_head, _take_a_head_away, _take_the_last_head_away, _rewrite_the_ledger],
    ids=lambda tampering: tampering.__name__.strip("_"),
)
def test_heads_that_were_kept_name_what_no_longer_fits(kept: tuple[Path, Path], tampering: Callable[[], str]) -> None:
    said = tampering()
    assert f"Does not fit: {said}" in found(kept)


def test_heads_signed_by_a_stranger_prove_nothing(kept: tuple[Path, Path]) -> None:
    key = signing.private_key(signing.fresh())
    name = signing.key_id(signing.public_bytes(key))
    files = [
        signing.envelope(h.text, {name: signing.sign(h.text, key)}) for h in proofs.read_heads(kept[0].read_bytes())
    ]
    kept[0].write_bytes(b'{"heads":[' + b",".join(files) + b"]}")
    assert f"key {name} is not among the keys given" in found(kept)


def test_a_file_that_is_no_list_of_heads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "heads.json"
    path.write_text("[]")
    with pytest.raises(CommandError, match="no names"):
        call_command("audit", "verify", "--heads", str(path))


def test_the_command_seals_what_waits(sealed: int) -> None:
    shelf.make_instrument("one more")
    call_command("audit", "seal", stdout=(out := io.StringIO()))
    assert out.getvalue().startswith("1 rows sealed")
