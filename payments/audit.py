"""The ledger recomputed from nothing: are its guards in place, does every transfer balance, does the chain hold.

Reports the first row that does not fit and repairs nothing. It trusts no trigger: whoever can switch a trigger off is
one of those it looks for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from payments import chain, closings, gateway
from payments.errors import StripeFailed
from payments.models import Entry, Payee, Payout, Transfer, TransferSeal
from payments.money import Money
from payments.problems import Problem

# Guards that must be there and switched on: table → triggers, and table → constraints.
TRIGGERS = {
    "payments_transfer": {
        "payments_transfer_begin", "payments_transfer_waits", "payments_transfer_balanced",
        "payments_transfer_append_only",
    },
    "payments_entry": {
        "payments_entry_moment", "payments_entry_joins", "payments_entry_append_only", "payments_wallet_covered",
    },
    "payments_wallet": {"payments_wallet_append_only"},
    "payments_account": {"payments_account_append_only"},
    "payments_transferseal": {"payments_transferseal_append_only"},
    "payments_statement": {"payments_statement_append_only"},
    "payments_closing": {"payments_closing_stays"},
    "payments_taxform": {"payments_taxform_append_only"},
    "payments_withholding": {"payments_withholding_append_only"},
}  # fmt: skip
CONSTRAINTS = {
    "payments_transfer": {"transfer_has_two_entries", "transfer_has_a_reference", "payments_transfer_reference_key"},
    "payments_entry": {"entry_position_once", "entry_amount_bounded", "entry_side_known", "entry_position_from_one"},
    "payments_charge": {"charge_amount_bounded", "charge_never_refunded_above_paid"},
    "payments_payout": {"payout_settled_is_in_the_ledger"},
    "payments_closing": {"closing_is_over", "payments_closing_until_key"},
}
INDEXES = {"payout_one_under_way", "payout_stripe_transfer_once"}
FORBIDDEN = ("UPDATE", "DELETE", "TRUNCATE")

# What to look for, row by row: its kind, what is wrong, and the query that names every such row and its place.
CHECKS = [
    (
        "entry",
        "it belongs to no transfer",
        """SELECT e.id::text AS name, e.id AS place FROM payments_entry e
           LEFT JOIN payments_transfer t ON t.id = e.transfer_id
           WHERE t.id IS NULL""",
    ),
    (
        "entry",
        "it has another time than its transfer",
        """SELECT e.id::text AS name, e.id AS place FROM payments_entry e
           JOIN payments_transfer t ON t.id = e.transfer_id
           WHERE t.posted_at <> e.posted_at""",
    ),
    (
        "entry",
        "its account does not exist, or is in another currency",
        """SELECT e.id::text AS name, e.id AS place FROM payments_entry e
           LEFT JOIN payments_account a ON a.id = e.account_id AND a.currency = e.currency
           WHERE a.id IS NULL""",
    ),
    (
        "entry",
        "its amount or side is out of bounds",
        """SELECT id::text AS name, id AS place FROM payments_entry
           WHERE NOT (amount_micros > 0 AND amount_micros < 4611686018427387904 AND side IN ('D', 'C'))""",
    ),
    (
        "transfer",
        "it has more or fewer entries than it promised",
        """SELECT t.reference AS name, t.posted_at AS place FROM payments_transfer t LEFT JOIN
               (SELECT transfer_id, count(*) AS number FROM payments_entry GROUP BY transfer_id) e
               ON e.transfer_id = t.id
           WHERE coalesce(e.number, 0) <> t.legs OR t.legs < 2""",
    ),
    (
        "transfer",
        "its debits and credits differ",
        """SELECT t.reference AS name, t.posted_at AS place FROM
               (SELECT transfer_id, sum(CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END) AS rest
                FROM payments_entry GROUP BY transfer_id, currency) e
           JOIN payments_transfer t ON t.id = e.transfer_id
           WHERE e.rest <> 0""",
    ),
    (
        "transfer",
        "it is no mirror of the transfer it says it reverses",
        """SELECT t.reference AS name, t.posted_at AS place FROM payments_transfer t
           JOIN payments_transfer o ON o.id = t.reverses_id
           WHERE t.legs <> o.legs OR EXISTS (
               SELECT account_id, side, amount_micros FROM payments_entry WHERE transfer_id = t.id
               EXCEPT ALL
               SELECT account_id, CASE side WHEN 'D' THEN 'C' ELSE 'D' END, amount_micros
               FROM payments_entry WHERE transfer_id = o.id)""",
    ),
]


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found: `problem` is the first row that does not fit, or None where all do."""

    transfers: int
    entries: int
    sealed: int
    waiting: int
    head: str
    balances: dict[str, int]
    problem: Problem | None

    @property
    def chain_ok(self) -> bool:
        return self.problem is None or self.problem.where != "chain"

    @property
    def balanced(self) -> bool:
        return self.problem is None or self.problem.where not in {"entry", "transfer"}


def verify() -> Report:
    """Recompute everything; the order of looking is guards, rows, payouts, chain, kept balances."""
    problem = next(_guard_problems(), None) or next(_row_problems(), None)
    problem = problem or next(_payout_problems(), None) or chain.verify() or closings.verify()
    _, head = chain.head()
    return Report(
        transfers=Transfer.objects.count(),
        entries=Entry.objects.count(),
        sealed=TransferSeal.objects.count(),
        waiting=chain.waiting(),
        head=head,
        balances=trial_balance(),
        problem=problem,
    )


def trial_balance() -> dict[str, int]:
    """Debits less credits of every account by its code, in micros; they sum to nought in each currency."""
    return {code: sum_ for code, _, _, sum_ in account_sums()}


def account_sums() -> list[tuple[str, str, str, int]]:
    """Code, kind, currency, and debits less credits of every account that was ever moved."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, a.kind, a.currency, e.rest::bigint FROM payments_account a JOIN (SELECT account_id, "
            "sum(CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END) AS rest FROM payments_entry "
            "GROUP BY account_id) e ON e.account_id = a.id ORDER BY a.code"
        )
        return [(row[0], row[1], row[2], int(row[3])) for row in cursor.fetchall()]


def _guard_problems() -> Iterator[Problem]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled IN ('O', 'A') AND NOT t.tgisinternal"
        )
        live = set(cursor.fetchall())
        cursor.execute(
            "SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
            "WHERE c.relnamespace = current_schema()::regnamespace AND k.convalidated"
        )
        checked = set(cursor.fetchall())
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()")
        indexed = {row[0] for row in cursor.fetchall()}
    for table, names in TRIGGERS.items():
        for name in sorted(names - {trigger for where, trigger in live if where == table}):
            yield Problem("guard", f"trigger {name} on {table}", "it is missing or switched off")
    for table, names in CONSTRAINTS.items():
        for name in sorted(names - {constraint for where, constraint in checked if where == table}):
            yield Problem("guard", f"constraint {name} on {table}", "it is missing or was never validated")
    for name in sorted(INDEXES - indexed):
        yield Problem("guard", f"unique index {name}", "it is missing")
    yield from _privilege_problems()


def _privilege_problems() -> Iterator[Problem]:
    role = settings.APPLICATION_ROLE
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            yield Problem("guard", f"role {role}", "it does not exist, so the application works as the owner")
            return
        for table in sorted(TRIGGERS.keys() - {"payments_closing"}):  # a closing is announced first and kept later
            for privilege in FORBIDDEN:
                cursor.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, privilege])
                if cursor.fetchone()[0]:
                    yield Problem("guard", f"role {role}", f"it may {privilege} {table}")


def _row_problems() -> Iterator[Problem]:
    for kind, what, sql in CHECKS:
        with connection.cursor() as cursor:
            # All wrong rows first: with the limit inside, a plan that expects many of them looks them up one by one.
            cursor.execute(f"WITH wrong AS MATERIALIZED ({sql}) SELECT name FROM wrong ORDER BY place, name LIMIT 1")  # noqa: S608 - one of CHECKS
            row = cursor.fetchone()
        if row is not None:
            yield Problem(kind, f"{kind} {row[0]}", what)


def _payout_problems() -> Iterator[Problem]:
    """Every payout moved its own amount from its own payee, balance or debt, and nothing else."""
    posted = Payout.objects.filter(transfer__isnull=False).select_related("payee", "transfer").order_by("pk")
    for payout in posted.prefetch_related("transfer__entries__account").iterator(chunk_size=1_000):
        micros = Money.of(payout.amount_minor, payout.currency).micros
        mine = {f"{kind}:{payout.payee.public_id}:{payout.currency}" for kind in ("payee", "debt")}
        to = f"stripe:{payout.currency}" if payout.route == Payee.Route.STRIPE else f"clearing:sepa:{payout.currency}"
        entries = list(payout.transfer.entries.all()) if payout.transfer else []
        taken = sum(each.amount_micros for each in entries if each.side == "D" and each.account.code in mine)
        sent = [each.amount_micros for each in entries if each.side == "C" and each.account.code == to]
        others = [each for each in entries if each.account.code not in {*mine, to}]
        if taken != micros or sent != [micros] or others:
            yield Problem("payout", f"payout {payout.number}", "the ledger moved something else for it")


def verify_at_stripe() -> Problem | None:
    """The first payout that Stripe does not hold as the ledger does. Asks Stripe about each; where it gives no answer,
    that is the problem."""
    return next(_stripe_problems(), None)


def _stripe_problems() -> Iterator[Problem]:
    """Every payout that was sent is one transfer at Stripe, of its amount, to its payee, and was not taken back."""
    sent = Payout.objects.exclude(stripe_transfer_id="").select_related("payee").order_by("pk")
    for payout in sent.iterator():
        wanted = (payout.stripe_transfer_id, payout.amount_minor, payout.currency, payout.payee.stripe_account_id)
        try:
            found = gateway.find_transfers(payout.transfer_group)
        except StripeFailed as failure:
            yield Problem("payout", f"payout {payout.number}", f"Stripe could not be asked about it: {failure}")
            continue
        held = [(facts.stripe_id, facts.amount_minor, facts.currency, facts.destination) for facts in found]
        if held != [wanted]:
            yield Problem("payout", f"payout {payout.number}", "Stripe holds another transfer for it, or none")
        elif found[0].reversed_minor != payout.reversed_minor:
            yield Problem("payout", f"payout {payout.number}", "Stripe has taken it back, and the ledger has not")
