"""The audit chain: whatever is edited, deleted, inserted, reordered or cut off behind the triggers' back is named."""

import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.utils import Error
from django.utils import timezone

from licensing import audit, clearance, grants, notices, tasks
from licensing.models import AuditEntry, AuditPending, GrantEnd, LicenceGrant, Review
from licensing.terms import EndKind, Use
from tests.factories.catalog import make_recording
from tests.factories.licensing import NOW, SOUND, make_cleared, make_evidence

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 20


def run(statement: str, *values: str | int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


def follow() -> None:
    """What happens after every migrate."""
    audit.follow_all(apps.get_app_config("licensing"))


@contextmanager
def guards_off() -> Iterator[Callable[..., int]]:
    """What a superuser with bad intentions can do: no trigger, no foreign key and no rule holds inside the block."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield run


@contextmanager
def undone() -> Iterator[None]:
    """Whatever happens inside never happened."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _nothing_before(db: None) -> None:
    """The chain begins with what a test writes: the rates that a migration brought would come first."""
    with guards_off():
        for table in ("licensing_rate", "licensing_rateverification", "licensing_auditpending"):
            run(f"DELETE FROM {table}")  # noqa: S608 - names of ours


@pytest.fixture
def sealed() -> int:
    """Grants, evidence, reviews, decisions, an end, a notice and its end, all in their place; returns how many."""
    for number in range(3):
        recording = make_cleared(make_recording(f"Piece {number}"))
        clearance.clear(recording, use=Use.PERMANENT_DOWNLOAD, at=NOW, actor="t", sound_sha256=SOUND)
    notice = notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    notices.lift(notice, reason="R", actor="t", at=NOW)
    grant = LicenceGrant.objects.filter(recording=recording).get()
    grants.end_grant(grant, kind=EndKind.SUSPENDED, reason="R", actor="t", at=NOW)
    return audit.seal_new(at=NOW)


# ---- the chain as it should be -------------------------------------------------------------------------------------


def test_all_that_is_evidence_gets_a_place_and_fits(sealed: int) -> None:
    report = audit.verify()
    assert report.ok
    assert (report.entries, report.waiting) == (sealed, 0)
    placed = set(AuditEntry.objects.values_list("table_name", flat=True))
    assert placed >= {
        "licensing_instrument", "licensing_licencegrant", "licensing_grantevidence", "licensing_review",
        "licensing_grantend", "licensing_notice", "licensing_noticeend", "licensing_clearancedecision",
    }  # fmt: skip


def test_rows_get_their_places_in_the_order_in_which_they_were_written(sealed: int) -> None:
    grants_placed = AuditEntry.objects.filter(table_name="licensing_licencegrant").values_list("row_id", flat=True)
    assert list(grants_placed) == sorted(grants_placed)
    assert list(AuditEntry.objects.values_list("position", flat=True)) == list(range(1, sealed + 1))


def test_an_entrys_hash_can_be_computed_by_anybody_from_its_line(sealed: int) -> None:
    entry = AuditEntry.objects.get(position=1)
    line = [1, "0" * 64, entry.table_name, entry.row_id, entry.row_sha256, "2026-03-10T12:00:00.000000Z"]
    assert entry.sha256 == hashlib.sha256(json.dumps(line, separators=(",", ":")).encode()).hexdigest()


def test_a_rows_hash_can_be_computed_by_anybody_from_the_row(sealed: int) -> None:
    entry = AuditEntry.objects.get(table_name="licensing_review", row_id=Review.objects.first().pk)
    review = Review.objects.first()
    line: dict[str, object] = {
        "at": "2026-03-10T12:00:00+00:00", "evidence_sha256": review.evidence_sha256, "grant_id": review.grant_id,
        "id": review.pk, "outcome": "APPROVED", "reason": "", "reviewer": "user:rita", "reviewer_labels": [],
        "second_needed": False, "sound_sha256": SOUND,
    }  # fmt: skip
    text = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == entry.row_sha256


def test_sealing_again_changes_nothing(sealed: int) -> None:
    assert audit.seal_new(at=NOW) == 0
    assert AuditEntry.objects.count() == sealed


def test_a_rolled_back_act_leaves_nothing_to_seal() -> None:
    with undone():
        make_evidence()
        assert audit.waiting() == 1
    assert audit.waiting() == 0


def test_the_hash_is_the_same_in_whatever_time_zone_a_row_is_written_and_verified() -> None:
    run("SET TIME ZONE 'Pacific/Auckland'")
    make_evidence(text="in Auckland")
    run("SET TIME ZONE 'America/St_Johns'")
    make_evidence(text="in St John's")
    audit.seal_new(at=NOW)
    assert audit.verify().ok
    run("RESET ALL")
    assert audit.verify().ok


def test_a_nullable_column_added_later_changes_no_hash(sealed: int) -> None:
    run("ALTER TABLE licensing_review ADD COLUMN later text")
    try:
        found = audit.verify()
        assert found.problem is None
        assert [guard.row for guard in found.guards] == ["function licensing_review_audited"]
        follow()
        assert audit.verify().ok
        with guards_off() as do:
            do("UPDATE licensing_review SET later = 'x' WHERE id = (SELECT min(id) FROM licensing_review)")
        assert "licensing_review" in audit.verify().problem.row
    finally:
        run("ALTER TABLE licensing_review DROP COLUMN later")
        follow()


def test_the_sweep_seals_and_calls_out_what_waited_too_long(caplog: pytest.LogCaptureFixture) -> None:
    make_evidence()
    assert audit.overdue(at=timezone.now()) == 0
    AuditPending.objects.update(at=timezone.now() - timedelta(minutes=2))
    tasks.sweep()
    assert audit.waiting() == 0
    assert "more than a minute" in caplog.text


def test_an_empty_chain_is_a_chain() -> None:
    assert audit.verify().ok
    assert audit.head() == (0, "0" * 64)


# ---- many writers --------------------------------------------------------------------------------------------------


def test_thirty_two_writers_make_one_chain() -> None:
    done: list[int] = []

    def write() -> None:
        for number in range(4):
            make_evidence(text=f"{threading.get_ident()} {number}")
            done.append(audit.seal_new(at=timezone.now()))
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.append(audit.seal_new(at=timezone.now()))
    assert sum(done) == AuditEntry.objects.count() == 128
    assert audit.verify().ok


def test_the_database_itself_refuses_a_fork(sealed: int) -> None:
    tip = AuditEntry.objects.get(position=sealed)
    fields = {"table_name": "t", "row_id": 1, "row_sha256": "", "sealed_at": NOW}
    for position, previous in ((sealed + 1, tip.previous_sha256), (sealed + 2, tip.sha256)):
        with pytest.raises(Error, match="does not follow"):
            AuditEntry.objects.create(position=position, previous_sha256=previous, sha256="f" * 64, **fields)
    with pytest.raises(Error, match="licensing_auditentry_pkey"):
        AuditEntry.objects.create(position=sealed, previous_sha256=tip.previous_sha256, sha256="f" * 64, **fields)


def test_without_that_guard_a_fork_would_go_through(sealed: int) -> None:
    with undone():
        run("ALTER TABLE licensing_auditentry DISABLE TRIGGER licensing_auditentry_continues")
        AuditEntry.objects.create(
            position=sealed + 1, previous_sha256="e" * 64, sha256="f" * 64, table_name="t", row_id=1, row_sha256="",
            sealed_at=NOW,
        )  # fmt: skip
        problem = audit.verify().problem
    assert problem == audit.Problem(
        "chain", f"entry {sealed + 1}, row 1 of t", "it does not follow the entry before it"
    )


def test_without_the_lock_two_writers_collide(sealed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the lock: both read the same tip, and the database has to stop the second."""
    tip = audit.head()
    make_evidence(text="first")
    audit.seal_new(at=NOW)
    make_evidence(text="second")
    monkeypatch.setattr(audit, "head", lambda: tip)
    with pytest.raises(Error, match="licensing_auditentry_pkey"):
        audit.seal_new(at=NOW)


def test_entries_are_never_changed_or_deleted(sealed: int) -> None:
    for statement in ("UPDATE licensing_auditentry SET row_id = row_id", "DELETE FROM licensing_auditentry"):
        with pytest.raises(Error, match="append-only"):
            run(statement)


# ---- the database's superuser --------------------------------------------------------------------------------------


def somewhere(seed: int, sealed: int) -> AuditEntry:
    return AuditEntry.objects.get(position=random.Random(seed).randrange(2, sealed))


def _edit(do: Callable[..., int], entry: AuditEntry) -> str:
    """One value of the row itself."""
    changed = {
        "licensing_instrument": "captured_by", "licensing_licencegrant": "submitted_by", "licensing_review": "reviewer",
        "licensing_notice": "claimant", "licensing_grantevidence": "grant_id",
    }.get(entry.table_name, "actor")  # fmt: skip
    value = "grant_id + 1" if changed == "grant_id" else "'mallory'"
    do(f"UPDATE {entry.table_name} SET {changed} = {value} WHERE id = %s", entry.row_id)  # noqa: S608
    return f"entry {entry.position}, row {entry.row_id} of {entry.table_name}"


def _delete(do: Callable[..., int], entry: AuditEntry) -> str:
    do(f"DELETE FROM {entry.table_name} WHERE id = %s", entry.row_id)  # noqa: S608
    return f"entry {entry.position}, row {entry.row_id} of {entry.table_name}"


def _delete_with_its_entry(do: Callable[..., int], entry: AuditEntry) -> str:
    _delete(do, entry)
    do("DELETE FROM licensing_auditentry WHERE position = %s", entry.position)
    return f"entry {entry.position}"


def _insert(do: Callable[..., int], entry: AuditEntry) -> str:
    columns = "kind, text, file, sha256, bytes, media_type, source_file_sha256, captured_at, captured_by"
    do(
        f"INSERT INTO licensing_instrument (public_id, {columns}) SELECT gen_random_uuid(), {columns} "  # noqa: S608
        "FROM licensing_instrument LIMIT 1"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM licensing_instrument")
        return f"row {cursor.fetchone()[0]} of licensing_instrument"


def _reorder(do: Callable[..., int], entry: AuditEntry) -> str:
    """Two neighbours change places, all they say with them."""
    do("UPDATE licensing_auditentry SET position = -position WHERE position IN (%s, %s)", entry.position,
       entry.position + 1)  # fmt: skip
    do("UPDATE licensing_auditentry SET position = %s + position WHERE position < 0", 2 * entry.position + 1)
    moved = AuditEntry.objects.get(position=entry.position)
    return f"entry {entry.position}, row {moved.row_id} of {moved.table_name}"


def _edit_the_entry(do: Callable[..., int], entry: AuditEntry) -> str:
    """The row and what its entry says of it, but not the hashes after it."""
    name = _edit(do, entry)
    do("UPDATE licensing_auditentry SET row_sha256 = %s WHERE position = %s", row_now(entry.table_name, entry.row_id),
       entry.position)  # fmt: skip
    return name


def row_now(table: str, row_id: int) -> str:
    with connection.cursor() as cursor:
        digest = audit.row_sha256(cursor, table)
        cursor.execute(f"SELECT {digest} FROM {table} AS kept WHERE id = %s", [row_id])  # noqa: S608
        return str(cursor.fetchone()[0])


TAMPERINGS = [_edit, _delete, _delete_with_its_entry, _insert, _reorder, _edit_the_entry]


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.__name__.strip("_"))
def test_whatever_a_superuser_does_to_rows_the_first_that_does_not_fit_is_named(
    sealed: int, tampering: Callable[[Callable[..., int], AuditEntry], str]
) -> None:
    for seed in range(TIMES):
        with undone():
            run("SET CONSTRAINTS ALL IMMEDIATE")
            run("ALTER TABLE licensing_auditentry DROP CONSTRAINT audit_position_from_one")
            with guards_off() as do:
                do(audit.SESSION)
                name = tampering(do, somewhere(seed, sealed))
            problem = audit.verify().problem
        assert problem is not None, seed
        assert problem.row == name
    assert audit.verify().ok


def rewrite(do: Callable[..., int], *, since: int) -> None:
    """Write the chain anew from a place on, each entry fitting the next and each row its entry, as only its keeper
    could have."""
    do("DROP TABLE IF EXISTS pg_temp.anew")
    do("CREATE TEMP TABLE anew AS SELECT * FROM licensing_auditentry WHERE position >= %s", since)
    do("DELETE FROM licensing_auditentry WHERE position >= %s", since)
    with connection.cursor() as cursor:
        cursor.execute("SELECT position, table_name, row_id, sealed_at FROM anew ORDER BY position")
        kept = cursor.fetchall()
    _, previous = audit.head()
    for position, table, row_id, sealed_at in kept:
        row_sha256 = row_now(table, row_id)
        time = sealed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        own = audit.entry_sha256(position, previous, (table, row_id, row_sha256), time)
        AuditEntry.objects.create(
            position=position, table_name=table, row_id=row_id, row_sha256=row_sha256, previous_sha256=previous,
            sha256=own, sealed_at=sealed_at,
        )  # fmt: skip
        previous = own


def test_a_chain_written_anew_is_found_by_the_head_that_somebody_kept(sealed: int) -> None:
    half = AuditEntry.objects.get(position=sealed // 2)
    heads = {half.position: half.sha256, sealed: audit.head()[1]}
    for seed in range(TIMES):
        with undone():
            run("SET CONSTRAINTS ALL IMMEDIATE")
            entry = somewhere(seed, sealed)
            with guards_off() as do:
                do(audit.SESSION)
                _edit(do, entry)
                rewrite(do, since=entry.position if seed % 2 else 1)
            alone, problem = audit.verify().problem, audit.verify(heads).problem
        assert alone is None, "without a head it looks like any other chain: that is why heads are published"
        first, last = (half.position + 1, sealed) if entry.position > half.position else (1, half.position)
        assert problem.row == f"entries {first} to {last}"
    assert audit.verify(heads).ok


def test_an_end_cut_off_is_found_by_the_head_that_somebody_kept(sealed: int) -> None:
    heads = {sealed: audit.head()[1]}
    for seed in range(TIMES):
        with undone():
            run("SET CONSTRAINTS ALL IMMEDIATE")
            cut = somewhere(seed, sealed).position
            with guards_off() as do:
                do(audit.SESSION)
                for table, row_id in AuditEntry.objects.filter(position__gte=cut).values_list("table_name", "row_id"):
                    do(f"DELETE FROM {table} WHERE id = %s", row_id)  # noqa: S608
                do("DELETE FROM licensing_auditentry WHERE position >= %s", cut)
            alone, problem = audit.verify().problem, audit.verify(heads).problem
        assert alone is None
        assert problem == audit.Problem(
            "chain", f"entry {cut}", f"the end was cut off: a head was published at {sealed}"
        )


def test_an_end_cut_off_but_for_its_rows_is_found_without_any_head(sealed: int) -> None:
    with undone(), guards_off() as do:
        last = AuditEntry.objects.get(position=sealed)
        do("DELETE FROM licensing_auditentry WHERE position = %s", sealed)
        assert audit.verify().problem.row == f"row {last.row_id} of {last.table_name}"


def test_a_row_changed_before_it_had_its_place_is_named() -> None:
    evidence = make_evidence()
    with guards_off() as do:
        do("UPDATE licensing_instrument SET captured_by = 'mallory'")
    assert audit.verify().problem.row == f"row {evidence.pk} of licensing_instrument"
    audit.seal_new(at=NOW)
    assert audit.verify().problem.row == f"entry 1, row {evidence.pk} of licensing_instrument"


def test_a_row_gone_before_it_had_its_place_is_named() -> None:
    evidence = make_evidence()
    with guards_off() as do:
        do("DELETE FROM licensing_instrument")
    assert audit.verify().problem.row == f"row {evidence.pk} of licensing_instrument"


def test_a_row_with_two_places_is_named(sealed: int) -> None:
    with undone():
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("ALTER TABLE licensing_auditentry DROP CONSTRAINT audit_row_once")
        run("INSERT INTO licensing_auditpending (table_name, row_id, row_sha256) "
            "SELECT table_name, row_id, row_sha256 FROM licensing_auditentry WHERE position = 1")  # fmt: skip
        audit.seal_new(at=NOW)
        problem = audit.verify().problem
    assert problem.row.startswith(f"entry {sealed + 1}, ")
    assert problem.what == "the row has a place already"


def test_functions_replaced_in_the_database_deceive_nobody(sealed: int) -> None:
    """The verifier computes hashes with words of its own, from what PostgreSQL itself brings."""
    with undone():
        run("SET CONSTRAINTS ALL IMMEDIATE")
        entry = somewhere(1, sealed)
        run("CREATE OR REPLACE FUNCTION licensing_audit_text(followed text, called text) RETURNS text LANGUAGE sql AS "
            "$$ SELECT 'x'::text $$")  # fmt: skip
        run("CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$")
        run("SET LOCAL search_path = public, pg_catalog")
        with guards_off() as do:
            name = _edit(do, entry)
        assert audit.verify().problem.row == name


def test_a_trigger_that_writes_another_hash_is_named_and_so_is_its_row(sealed: int) -> None:
    with undone():
        run("CREATE OR REPLACE FUNCTION licensing_instrument_audited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO licensing_auditpending (table_name, row_id, row_sha256) "
            "SELECT TG_TABLE_NAME, id, repeat('0', 64) FROM added; RETURN NULL; END $$")  # fmt: skip
        evidence = make_evidence(text="under another trigger")
        audit.seal_new(at=NOW)
        found = audit.verify()
        assert [guard.row for guard in found.guards] == ["function licensing_instrument_audited"]
        assert found.problem.row == f"entry {sealed + 1}, row {evidence.pk} of licensing_instrument"
        follow()
        assert audit.verify().guards == ()


# ---- guards --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", audit.followed())
def test_a_table_that_is_no_longer_followed_is_named(table: str) -> None:
    with undone():
        run(f"ALTER TABLE {table} DISABLE TRIGGER {table}_audited")
        found = audit.verify()
    assert not found.ok
    assert [guard.row for guard in found.guards] == [f"trigger {table}_audited on {table}"]


def test_without_its_trigger_a_row_gets_no_place_and_is_named() -> None:
    """The control of the trigger."""
    with undone():
        run("ALTER TABLE licensing_instrument DISABLE TRIGGER licensing_instrument_audited")
        evidence = make_evidence()
        assert audit.waiting() == 0
        assert audit.verify().problem.row == f"row {evidence.pk} of licensing_instrument"


def test_following_a_table_again_does_not_launder_what_came_in_meanwhile(sealed: int) -> None:
    with undone():
        run("DROP TRIGGER licensing_instrument_audited ON licensing_instrument")
        evidence = make_evidence(text="meanwhile")
        follow()
        found = audit.verify()
    assert not found.guards
    assert found.problem.row == f"row {evidence.pk} of licensing_instrument"


def test_a_table_that_is_followed_for_the_first_time_brings_its_rows_in() -> None:
    with undone():
        run("DROP TRIGGER licensing_instrument_audited ON licensing_instrument")
        for number in range(3):
            make_evidence(text=f"before {number}")
        follow()
        assert audit.seal_new(at=NOW) == 3
        assert audit.verify().ok


def test_the_tables_of_the_money_have_a_chain_of_their_own() -> None:
    assert not [table for table in audit.followed() if table.startswith("payments_")]
    assert {model._meta.db_table for model in (LicenceGrant, Review, GrantEnd)} <= set(audit.followed())
