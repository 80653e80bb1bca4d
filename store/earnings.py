"""What payees earned in a period, for each recording and work, as their statements tell it.

Each line is worked out from what was frozen with the sale and checked by `payments.months` against what the ledger
moved: the two must agree to the last millionth, or the statement is refused. A sale's part of a recording is in
proportion to what its holders got of the line; parts are cut from running sums, so that they always add up to the line.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from catalog.credits import artist_line
from catalog.models import Recording, RecordingWork, Release
from payments.models import Payee
from payments.months import Detail
from store import deductions

PARTS = ("CHARGEBACK", "CHARGEBACK_REVERSAL", "REFUND")  # of a line: what went back of it, or came back again
KINDS = frozenset({
    "SALE", "SALE_REVERSAL", "SALE_REVERSAL_REVERSAL", "DISPUTE_RELEASE", "DISPUTE_RELEASE_REVERSAL", *PARTS,
})  # fmt: skip
DEDUCTED = frozenset(deductions.KINDS.values())
COLUMNS = (
    "isrc", "iswc", "title", "artist", "release", "gtin", "release_id", "layer", "use", "territory", "units",
    "returns", "gross_micros", "tax_micros", "fees_micros", "base_micros", "rate_ppm", "share_ppm", "amount_micros",
)  # fmt: skip

# `moved`: each sale, refund or release and what it moved for the payee, on all of its accounts in that currency. What
# its reference says is looked at once it is known to be a payee's: the ledger has many more, and a pattern is dear.
# A part of a line that went back is cut like the line itself, in proportion to what the payee got of each layer.
# `parts`: what each layer of each recording on the line was worth, and what of it is the payee's by the frozen split.
_LINES = """
WITH moved AS MATERIALIZED (
    SELECT own.id AS account, own.payee_id AS payee, t.id AS transfer, t.reference, t.kind = ANY(%s) AS in_part,
           split_part(t.reference, ':', 1) AS word,
           CASE WHEN split_part(t.reference, ':', 2) ~ '^[0-9a-f]{8}-[0-9a-f-]{27}$'
                THEN split_part(t.reference, ':', 2)::uuid END AS line_key,
           sum(CASE e.side WHEN 'C' THEN e.amount_micros ELSE -e.amount_micros END) AS micros
      FROM payments_account own
      JOIN payments_account other ON other.payee_id = own.payee_id AND other.currency = own.currency
      JOIN payments_entry e ON e.account_id = other.id AND e.posted_at >= %s AND e.posted_at < %s
      JOIN payments_transfer t ON t.id = e.transfer_id
     WHERE own.id = ANY(%s) AND t.kind = ANY(%s)
     GROUP BY own.id, t.id
), parts AS (
    SELECT m.*, l.id AS line, coalesce(l.release_id, track.release_id) AS release, o.country, d.use, part.*,
           CASE WHEN m.word IN ('sale', 'released', 'reinstated') THEN 1 ELSE -1 END AS sign
      FROM moved m
      JOIN store_orderline l ON l.public_id = m.line_key
      JOIN store_order o ON o.id = l.order_id
      JOIN licensing_clearancedecision d ON d.id = l.decision_id
      LEFT JOIN catalog_track track ON track.id = l.track_id
     CROSS JOIN LATERAL (
           SELECT recording, layer, base, mine, sum(base) OVER () AS whole,
                  coalesce(sum(base) FILTER (WHERE layer = 'TAX') OVER (), 0) AS tax,
                  sum(base) FILTER (WHERE layer IN ('RECORDING', 'WORK')) OVER () AS music,
                  sum(base) FILTER (WHERE layer IN ('RECORDING', 'WORK')) OVER sorted AS until_here,
                  sum(mine) OVER () AS mine_all, sum(mine) OVER sorted AS mine_so_far
             FROM (SELECT leg.recording, leg.kind AS layer, sum(leg.micros) AS base,
                          sum(leg.micros) FILTER (WHERE leg.payee = m.payee) AS mine
                     FROM jsonb_to_recordset(l.split) leg (kind text, recording bigint, payee bigint, micros bigint)
                    GROUP BY 1, 2) layers
           WINDOW sorted AS (ORDER BY recording, layer)) part
     WHERE part.layer IN ('RECORDING', 'WORK')
       AND m.word IN ('sale', 'refund', 'released', 'unreleased', 'chargeback', 'reinstated')
), told AS MATERIALIZED (
    SELECT p.account, p.recording, p.release, p.layer, p.country, p.use, p.sign, p.in_part,
           CASE WHEN p.in_part THEN div(p.base * abs(p.micros), p.mine_all) ELSE p.base END AS base,
           CASE WHEN p.word IN ('released', 'unreleased') THEN abs(p.micros)
                WHEN p.in_part THEN div(abs(p.micros) * p.mine_so_far, p.mine_all)
                                  - div(abs(p.micros) * (p.mine_so_far - p.mine), p.mine_all)
                ELSE p.mine - coalesce((SELECT sum(h.micros) FROM store_heldshare h
                      WHERE h.line_id = p.line AND h.recording_id = p.recording AND h.layer = p.layer
                        AND h.payee_id = p.payee), 0) END AS amount,
           p.word IN ('released', 'unreleased') AS late,
           (div(p.whole * p.until_here, p.music) - div(p.whole * (p.until_here - p.base), p.music))
               * CASE WHEN p.in_part THEN abs(p.micros) / p.mine_all ELSE 1 END AS gross,
           (div(p.tax * p.until_here, p.music) - div(p.tax * (p.until_here - p.base), p.music))
               * CASE WHEN p.in_part THEN abs(p.micros) / p.mine_all ELSE 1 END AS tax
      FROM parts p
     WHERE CASE WHEN p.word IN ('released', 'unreleased')
                THEN split_part(p.reference, ':', 3) = p.recording::text AND split_part(p.reference, ':', 4) = p.layer
                ELSE p.mine IS NOT NULL END
)
SELECT account, recording, release, layer, use, country,
       count(*) FILTER (WHERE sign > 0 AND NOT late AND NOT in_part),
       count(*) FILTER (WHERE sign < 0 AND NOT late AND NOT in_part),
       round(coalesce(sum(sign * gross) FILTER (WHERE NOT late), 0))::bigint,
       round(coalesce(sum(sign * tax) FILTER (WHERE NOT late), 0))::bigint,
       coalesce(sum(sign * base) FILTER (WHERE NOT late), 0)::bigint,
       sum(sign * amount)::bigint,
       max(round(base * 1000000 / nullif(gross - tax, 0)))::bigint,
       max(round(amount * 1000000 / nullif(base, 0)))::bigint
  FROM told
 WHERE amount <> 0
 GROUP BY account, recording, release, layer, use, country, round(amount * 1000 / nullif(base, 0))
 ORDER BY account, recording, release, layer, country
"""


def lines_of(accounts: Sequence[int], since: datetime, until: datetime) -> dict[int, list[list[Any]]]:
    """The lines of a statement (`COLUMNS`) for each of these accounts of payees. A fixed number of statements.

    Gross, tax and base are of the layer: what buyers paid for it, the tax inside, and what its holders share. Fees are
    what the store and the payment took of it. Rate and share are millionths of a whole: base of gross without tax, and
    the payee's part of the base.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LINES, [list(PARTS), since, until, list(accounts), sorted(KINDS)])
        rows = cursor.fetchall()
    words = _Words(rows)
    found: dict[int, list[list[Any]]] = defaultdict(list)
    for account, recording, release, layer, use, country, units, returns, gross, tax, base, amount, rate, share in rows:
        found[account].append([
            *words.of(recording, release), layer, use, country, units, returns,
            gross, tax, gross - tax - base, base, rate or 0, share or 0, amount,
        ])  # fmt: skip
    return found


class _Words:
    """How recordings and releases are called today, read for all lines at once."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        keys = {row[1] for row in rows}
        self._recordings = {one.pk: one for one in Recording.objects.with_credits().filter(pk__in=keys)}
        self._artists = {key: artist_line(one) for key, one in self._recordings.items()}
        self._releases = Release.objects.in_bulk({row[2] for row in rows if row[2]})
        self._works: dict[int, list[str]] = defaultdict(list)
        held = RecordingWork.objects.filter(recording__in=keys).order_by("position")
        for recording, iswc in held.values_list("recording_id", "work__iswc"):
            if iswc:
                self._works[recording].append(iswc)

    def of(self, recording: int, release: int | None) -> list[str]:
        found = self._recordings.get(recording)
        sold = self._releases.get(release or 0)
        return [
            (found.isrc or "") if found else "",
            " ".join(self._works[recording]),
            str(found) if found else f"recording {recording}",
            self._artists.get(recording, ""),
            sold.title if sold else "",
            (sold.gtin or "") if sold else "",
            str(sold.public_id) if sold else "",
        ]


# What payees earned from buyers in a country, refunds taken out, whatever account of theirs it went to.
_SOURCES = """
SELECT own.payee_id, own.currency, o.country,
       sum(CASE e.side WHEN 'C' THEN e.amount_micros ELSE -e.amount_micros END)::bigint
  FROM payments_account own
  JOIN payments_entry e ON e.account_id = own.id
  JOIN payments_transfer t ON t.id = e.transfer_id AND t.kind = ANY(%s)
       AND t.reference ~ '^(sale|refund|released|unreleased|chargeback|reinstated):[0-9a-f]{8}-[0-9a-f-]{27}(:|$)'
  JOIN store_orderline l ON l.public_id = split_part(t.reference, ':', 2)::uuid
  JOIN store_order o ON o.id = l.order_id AND o.country = ANY(%s)
 WHERE own.payee_id = ANY(%s)
 GROUP BY own.payee_id, own.currency, o.country
"""


def sources(payees: Sequence[Payee], countries: Collection[str]) -> dict[tuple[int, str], dict[str, int]]:
    """What each payee has ever earned from buyers in these countries, in micros by (payee, currency) and country.

    Tax is withheld on this and on nothing else; `payments.payouts` keeps what was withheld on before. One statement.
    """
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    if payees and countries:
        with connection.cursor() as cursor:
            cursor.execute(_SOURCES, [sorted(KINDS), sorted(countries), [payee.pk for payee in payees]])
            for payee, currency, country, micros in cursor.fetchall():
                found[payee, currency][country] = micros
    return found


DETAIL = Detail(KINDS, COLUMNS, lines_of, frozenset({*DEDUCTED, *(f"{kind}_REVERSAL" for kind in DEDUCTED)}))
