"""The ledger held against what the shop and Stripe say: every paid line has its transfer, every payout its own.

`payments.audit` verifies the ledger by itself; it knows neither orders nor lines. This looks at the seam, from nothing,
and names the first row that does not fit.
"""

import json
from collections.abc import Iterator

from django.db import connection

from payments import audit, chain
from payments.money import Currency
from payments.problems import Problem
from store.models import Order, SignedHead

# A line of nought moves no money. Everything else that was paid for is in the ledger under the line's own name.
_LINES = """
WITH factor AS (SELECT * FROM unnest(%(codes)s::text[], %(factors)s::bigint[]) AS f(currency, micros)),
line AS (
    SELECT l.public_id::text AS name, l.state, l.amount_minor * factor.micros AS micros, c.sha256
      FROM store_orderline l JOIN store_order o ON o.id = l.order_id
      LEFT JOIN factor ON factor.currency = o.currency
      LEFT JOIN store_certificate c ON c.order_line_id = l.id
     WHERE l.state IN ('PAID', 'REFUND_DUE', 'REFUNDED', 'CHARGEBACK', 'CHARGED_BACK') AND l.amount_minor > 0
), sale AS (
    SELECT t.id, t.kind, t.document_sha256, substr(t.reference, length(kinds.prefix) + 1) AS name
      FROM payments_transfer t
      JOIN (VALUES ('SALE', 'sale:'), ('SALE_HELD', 'held:')) AS kinds(kind, prefix)
        ON kinds.kind = t.kind AND starts_with(t.reference, kinds.prefix)
), moved AS (
    SELECT sale.id, sum(e.amount_micros) AS micros FROM sale JOIN payments_entry e ON e.transfer_id = sale.id
     WHERE e.side = 'D' GROUP BY sale.id
), given_back AS (
    SELECT CASE split_part(reference, ':', 1) WHEN 'refund' THEN 'REFUNDED' ELSE 'CHARGED_BACK' END AS state,
           split_part(reference, ':', 2) AS name
      FROM payments_transfer
     WHERE starts_with(reference, 'refund:') OR starts_with(reference, 'chargeback:') GROUP BY 1, 2
)
SELECT coalesce(line.name, sale.name), CASE
    WHEN sale.id IS NULL THEN 'it is paid, but no transfer is in the ledger for it'
    WHEN line.name IS NULL THEN 'a transfer is in the ledger for it, but no such line was paid'
    WHEN moved.micros IS DISTINCT FROM line.micros THEN 'its transfer moved another amount than was paid'
    WHEN sale.kind = 'SALE' AND sale.document_sha256 IS DISTINCT FROM line.sha256
        THEN 'its transfer does not carry the hash of its certificate'
    WHEN line.state = 'REFUNDED' THEN 'it is refunded, but the ledger gave nothing back'
    ELSE 'its buyer''s bank took it back, but the ledger gave nothing back'
    END AS what
  FROM line FULL JOIN sale ON sale.name = line.name
  LEFT JOIN moved ON moved.id = sale.id
  LEFT JOIN given_back ON given_back.name = line.name AND given_back.state = line.state
 WHERE sale.id IS NULL OR line.name IS NULL OR moved.micros IS DISTINCT FROM line.micros
    OR (sale.kind = 'SALE' AND sale.document_sha256 IS DISTINCT FROM line.sha256)
    OR (line.state IN ('REFUNDED', 'CHARGED_BACK') AND given_back.name IS NULL)
 ORDER BY 1 LIMIT 1
"""


def verify(*, ask_stripe: bool = True) -> Problem | None:
    """The first line, signed root or payout that the ledger, the shop and Stripe do not agree about.

    Without `ask_stripe` nothing leaves the machine, and payouts are not held against Stripe.
    """
    found = next(_line_problems(), None) or next(_root_problems(), None)
    return found or (audit.verify_at_stripe() if ask_stripe else None)


def _line_problems() -> Iterator[Problem]:
    codes = sorted(set(Order.objects.values_list("currency", flat=True).distinct()))
    factors = [Currency(code).micros_per_minor for code in codes]
    with connection.cursor() as cursor:
        cursor.execute(_LINES, {"codes": codes, "factors": factors})
        yield from (Problem("line", f"order line {name}", what) for name, what in cursor.fetchall())


def _root_problems() -> Iterator[Problem]:
    """Every signed head names the root over the seals up to its position, which payees hold their slices against."""
    said = {head.day: json.loads(head.text)["ledger"] for head in SignedHead.objects.order_by("day")}
    signed = {day: ledger for day, ledger in said.items() if "root" in ledger}  # the first heads had none
    roots = chain.roots({ledger["position"] for ledger in signed.values()}) if signed else {}
    for day, ledger in signed.items():
        if roots.get(ledger["position"]) != ledger["root"]:
            yield Problem("head", f"head of {day}", "the seals no longer have the root that was signed")
