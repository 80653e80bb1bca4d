"""Closed periods: nothing is posted before their end any more, and the balances of that moment are kept.

Kept balances only spare work. They are sums that anybody can make again from the entries, `ledger verify` does, and
balances are read through them: kept balance of the last closing, and the entries since. A day is closed an hour after
its end, in three steps that need no lock, so that no sale waits:

1. It is announced. From then on the database refuses a posting with a time before the end.
2. Every transaction that began before is waited for: one of them may not have seen the announcement.
3. The balances are summed up and kept.

Days are forgotten after a while, months are not; a closing itself stays for ever, and with it the refusal.
"""

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from payments.models import ClosedBalance, Closing, Entry
from payments.problems import Problem

GRACE = timedelta(hours=1)  # whoever took the time before midnight has posted by then, or takes a new time
KEPT_DAYS = timedelta(days=40)
CLOSER_LOCK = 0x636C6F736564  # one process closes

_KEEP = """
INSERT INTO payments_closedbalance (closing_id, account_id, micros)
SELECT %(closing)s, account_id, sum(micros)::bigint FROM (
    SELECT account_id, micros FROM payments_closedbalance WHERE closing_id = %(before)s
    UNION ALL
    SELECT account_id, CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END
      FROM payments_entry WHERE posted_at >= %(since)s AND posted_at < %(until)s
) AS moved GROUP BY account_id
"""
BEGINNING = datetime.min.replace(tzinfo=UTC)

# The closing before was found right, so this one stands on it: every entry is read once, whatever number is kept.
_WRONG = """
WITH expected AS (
    SELECT account_id, sum(micros)::bigint AS micros FROM (
        SELECT account_id, micros FROM payments_closedbalance WHERE closing_id = %(before)s
        UNION ALL
        SELECT account_id, CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END
          FROM payments_entry WHERE posted_at >= %(since)s AND posted_at < %(until)s
    ) AS moved GROUP BY account_id
), kept AS (SELECT account_id, micros FROM payments_closedbalance WHERE closing_id = %(closing)s)
SELECT coalesce(a.code, 'an account that does not exist') FROM expected FULL JOIN kept USING (account_id)
  LEFT JOIN payments_account a ON a.id = account_id
 WHERE expected.micros IS DISTINCT FROM kept.micros ORDER BY account_id LIMIT 1
"""


def close_due(*, at: datetime) -> Closing | None:
    """Take the closing that is due a step further, as far as it goes now; returns it once it is closed.

    Called every few seconds; whoever comes while another is at it leaves it to her.
    """
    closing = Closing.objects.filter(closed_at=None).order_by("until").first() or _announce(at)
    if closing is None or not _settled(closing):
        return None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CLOSER_LOCK])
        if not cursor.fetchone()[0] or Closing.objects.get(pk=closing.pk).closed_at is not None:
            return None
        cursor.execute(_KEEP, _period(closing, last(until=closing.until)))
        Closing.objects.filter(pk=closing.pk).update(closed_at=at, kept=True)
    _forget_days(at)
    return Closing.objects.get(pk=closing.pk)


def last(*, until: datetime | None = None) -> Closing | None:
    """The latest closing whose balances are kept, not later than `until`."""
    rows = Closing.objects.filter(kept=True)
    return (rows if until is None else rows.filter(until__lte=until)).order_by("-until").first()


def verify() -> Problem | None:
    """Make every kept balance again from the entries and name the first that is another."""
    before = None
    for closing in Closing.objects.filter(kept=True).order_by("until"):
        with connection.cursor() as cursor:
            cursor.execute(_WRONG, _period(closing, before))
            row = cursor.fetchone()
        if row is not None:
            return Problem(
                "closing", f"balance of {row[0]}, {closing}", "the entries before that moment sum to another"
            )
        before = closing
    return None


def _period(closing: Closing, before: Closing | None) -> dict[str, int | datetime | None]:
    since = before.until if before else BEGINNING
    return {"closing": closing.pk, "before": before.pk if before else None, "since": since, "until": closing.until}


def _announce(at: datetime) -> Closing | None:
    """Announce the end of the last whole day, unless it is closed or there is nothing to close."""
    until = (at - GRACE).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if Closing.objects.filter(until__gte=until).exists():
        return None
    first = Entry.objects.order_by("pk").first()
    if first is None or not Entry.objects.filter(posted_at__lt=until).exists():
        return None
    Closing.objects.bulk_create([Closing(until=until, announced_at=at)], ignore_conflicts=True)
    return Closing.objects.get(until=until)


def _settled(closing: Closing) -> bool:
    """Whether every transaction that may not have seen the announcement has ended.

    `horizon` is the first transaction id that was not given out when the announcement was committed. Whoever got a
    later one sees the announcement: the trigger takes its id before it looks.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint "
            "FROM pg_current_snapshot() AS now"
        )
        oldest, following = cursor.fetchone()
    if closing.horizon is None or closing.horizon > following:  # the latter in another cluster, after a restore
        Closing.objects.filter(pk=closing.pk).update(horizon=following)
        closing.horizon = following
    return bool(oldest >= closing.horizon)


def _forget_days(at: datetime) -> None:
    """Forget the balances of days that are long over; those of months stay, and the closings themselves."""
    old = Closing.objects.filter(kept=True, until__lt=at - KEPT_DAYS).exclude(until__day=1)
    for closing in old:
        with transaction.atomic():
            Closing.objects.filter(pk=closing.pk).update(kept=False)
            ClosedBalance.objects.filter(closing=closing).delete()
