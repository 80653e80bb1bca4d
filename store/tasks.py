"""Bells for the workers. What is owed is always a row; a message that is lost, doubled or late changes nothing.

`sweep` runs every few seconds and rings for whatever still waits.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.utils import timezone

from licensing import reclearing
from payments import alerts, handed_in, inbox, months, payouts, reconcile
from payments.chargebacks import running as running_chargebacks
from payments.errors import PaymentsError
from store import (
    chargebacks,
    clearing,
    credit_purchases,
    deductions,
    demands,
    disputes,
    earnings,
    emails,
    evidence_pages,
    expiry,
    gifts,
    invoices,
    late_numbers,
    letters,
    month_end,
    notice_desk,
    offers,
    parcels,
    proofs,
    recalls,
    refunds,
    scrubbing,
    settlement,
    stripe_events,
    traces,
    waiting,
)
from store.errors import StoreError
from store.models import CreditPurchase, CreditRefund, Gift, Letter, Order, OrderLine, ReviewDue, WideReview
from transcoding import uploads
from transcoding.tasks import make_renditions

log = logging.getLogger(__name__)
AT_ONCE = 200
FETCH_EVERY = 120  # seconds between two looks for webhooks that never came
FETCH_BACK = timedelta(days=2)
CHARGEBACKS_EVERY = 1800  # seconds between two looks at chargebacks that no bank has decided
SCRUB_EVERY = 60  # seconds between two bells for hashing what was approved
NOTICES_EVERY = 60  # seconds between two looks at clocks, disputes and ends
REVIEW_SLICE, REVIEW_SLICES = 20, 25
BOOKS_EVERY = 900
MONTH_EVERY = 900  # seconds between two tries to close a month: a worker may be at it for minutes
CASES_EVERY = 10  # seconds
DATES_EVERY = 4  # seconds
INVOICES_EVERY = 4  # seconds
VIES_EVERY = 1800  # seconds between two bells for the same number
TIDY_EVERY = 300  # seconds between two looks for uploads that nobody went on with
RECLEAR_WORKERS = 2
RECLEAR_FOR = timedelta(seconds=40)  # a worker's turn at changed catalogues, so that other work gets one too
REVIEW_EVERY = 4  # seconds between two bells for reviews: each works off all marks that it finds


@shared_task
def handle_stripe_event(event_id: int) -> None:
    """Claim one recorded webhook and put its consequence in place."""
    at = timezone.now()
    event = inbox.claim_event(event_id, at=at)
    if event is None:
        return
    try:
        stripe_events.handle(event, at=at)
    except (PaymentsError, StoreError) as error:
        log.warning("Event %s failed: %s", event.stripe_id, error)
        inbox.fail_event(event, f"{error.code}: {error}", at=timezone.now())
        return
    inbox.conclude_event(event, at=timezone.now())


@shared_task
def review_offers() -> None:
    """Work off the marks that rights, files, tracks and prices left, by slices; the sweep rings for the rest."""
    for _ in range(REVIEW_SLICES):
        reviewed = offers.review_due(at=timezone.now(), limit=REVIEW_SLICE)
        recalls.refund_void(reviewed.recordings, at=timezone.now())
        for master in sorted(set(reviewed.planned)):
            make_renditions.delay(master)
        if not reviewed.recordings:
            return


@shared_task
def follow_wide_reviews() -> None:
    """Mark the next offers of all that must be looked at again."""
    offers.follow_wide_reviews(at=timezone.now())


@shared_task
def follow_dates() -> None:
    """Ask again where a licence began or ended, or a release's day has come."""
    while offers.follow_dates(at=timezone.now()):
        pass


@shared_task
def reclear() -> None:
    """Decide changed catalogues anew, the oldest first, for a while; the sweep rings for the rest."""
    until = timezone.now() + RECLEAR_FOR
    job = reclearing.claim(at=timezone.now())
    while job is not None:
        done = reclearing.work(job, at=timezone.now(), sounds=clearing.sounds_of)
        if job.label_id is not None:
            recalls.refund_void(done.recordings, at=timezone.now())
        late = timezone.now() >= until
        if late and not done.finished:
            reclearing.let_go(job)
        if late:
            return
        if done.finished:
            job = reclearing.claim(at=timezone.now())


@shared_task
def check_order(order_id: int) -> None:
    """Look after one order: paid without a webhook, a fee not told yet, or given up."""
    at = timezone.now()
    order = Order.objects.get(pk=order_id)
    try:
        settlement.check_order(order, at=at)
    except (PaymentsError, StoreError) as error:
        log.warning("Order %s: %s", order.number, error)


@shared_task
def push_refund(line_id: int) -> None:
    line = OrderLine.objects.get(pk=line_id)
    try:
        refunds.push(line, at=timezone.now())
    except (PaymentsError, StoreError) as error:
        log.warning("The refund of line %s waits: %s", line.public_id, error)


@shared_task
def write_invoices(_oldest: int = 0) -> None:
    """Write the invoices and credit notes that are owed: one writer does them all, the oldest first."""
    invoices.write(at=timezone.now())


@shared_task
def check_credit(purchase_id: int) -> None:
    """Look after one purchase of credit, as after an order."""
    purchase = CreditPurchase.objects.select_related("buyer").get(pk=purchase_id)
    try:
        credit_purchases.check(purchase, at=timezone.now())
    except (PaymentsError, StoreError) as error:
        log.warning("Purchase %s: %s", purchase.number, error)


@shared_task
def push_credit_refund(refund_id: int) -> None:
    refund = CreditRefund.objects.select_related("purchase").get(pk=refund_id)
    try:
        credit_purchases.push(refund, at=timezone.now())
    except (PaymentsError, StoreError) as error:
        log.warning("The refund of credit %s waits: %s", refund.public_id, error)


@shared_task
def follow_chargebacks(_round: int = 0) -> None:
    """Ask how the chargebacks stand that no bank has decided, in case their webhooks never came."""
    for row in running_chargebacks():
        try:
            chargebacks.follow(row.stripe_dispute_id, at=timezone.now())
        except (PaymentsError, StoreError) as error:
            log.warning("Chargeback %s waits: %s", row.stripe_dispute_id, error)


@shared_task
def send_receipt(order_id: int) -> None:
    emails.send_receipt(Order.objects.get(pk=order_id), at=timezone.now())


@shared_task
def draw_evidence(key: int) -> None:
    """Draw the pages of one evidence file."""
    evidence_pages.draw(key, at=timezone.now())


@shared_task
def send_letter(letter_id: int) -> None:
    letters.send(Letter.objects.get(pk=letter_id), at=timezone.now())


@shared_task
def tell_gift(gift_id: int) -> None:
    """Owe the letter of a gift whose day has come."""
    gifts.tell(Gift.objects.get(pk=gift_id), at=timezone.now())


@shared_task
def look_after_notices() -> None:
    """What time alone brings: a counter-notice's clock, money whose dispute or reserve is over, a licence's end, and an
    account that has waited long enough."""
    at = timezone.now()
    while deductions.release_due(at=at):
        pass
    notice_desk.restore_due(at=at)
    disputes.release_ended(at=at)
    expiry.warn(at=at)
    demands.forget(at=at)
    handed_in.take_due(at=at)


@shared_task
def ask_vies_again(order_id: int) -> None:
    """Ask about the number of a business that paid tax while VIES was silent."""
    order = Order.objects.get(pk=order_id)
    try:
        late_numbers.ask_again(order, actor="task:vies", at=timezone.now())
    except (PaymentsError, StoreError) as error:
        log.warning("The tax of %s stays for now: %s", order.number, error)


@shared_task
def close_month() -> None:
    """Issue the statements of months that are over, the oldest first; a month with a refusal waits for people."""
    while (done := month_end.close_due(at=timezone.now())) is not None:
        for refused in done.refused:
            account, _, why = refused.partition(": ")
            alerts.raise_alert("STATEMENT_REFUSED", subject=account, text=why, at=timezone.now())
        if done.refused:
            return


@shared_task
def fetch_missed_events() -> None:
    """Ask Stripe which events we never got."""
    at = timezone.now()
    try:
        for event in inbox.fetch_missed(since=at - FETCH_BACK, types=sorted(stripe_events.HANDLERS)):
            handle_stripe_event.delay(event.pk)
    except PaymentsError as error:
        log.warning("Stripe does not tell its events: %s", error)


@shared_task
def assess_cases() -> None:
    """Work out the risk of the records that wait for reviewers, where that was never done or is some minutes old."""
    while waiting.assess_waiting(at=timezone.now()) == waiting.AT_ONCE:
        pass


@shared_task
def take_parcel(parcel_id: int) -> None:
    """Take what a label handed in."""
    parcels.take(parcel_id, at=timezone.now())


@shared_task
def tidy_parcels(_round: int = 0) -> None:
    """Forget uploads that nobody went on with."""
    parcels.tidy(at=timezone.now())


@shared_task
def scrub() -> None:
    """Hash for some seconds what was approved and is due to be looked at again."""
    scrubbing.scrub(at=timezone.now())


@shared_task
def sweep() -> None:
    """Ring for everything that is owed. A row is rung for again only after it had time to be done."""
    at = timezone.now()
    if _rings("dates", 0, seconds=DATES_EVERY):
        follow_dates.delay()
    for worker in range(reclearing.waiting(at=at)[:RECLEAR_WORKERS].count()):
        if _rings("reclear", worker, seconds=RECLEAR_FOR.seconds):
            reclear.delay()
    _ring("event", inbox.sweepable(at=at, limit=AT_ONCE), handle_stripe_event, seconds=30)
    _ring("order", _keys(Order.objects.filter(next_check_at__lte=at)), check_order, seconds=60)
    _ring("credit", _keys(CreditPurchase.objects.filter(next_check_at__lte=at)), check_credit, seconds=60)
    credit_due = CreditRefund.objects.filter(state=CreditRefund.State.DUE)
    _ring("credit-refund", _keys(credit_due), push_credit_refund, seconds=120)
    _ring("refund", _keys(refunds.due()), push_refund, seconds=120)
    _ring("chargebacks", [0], follow_chargebacks, seconds=CHARGEBACKS_EVERY)
    _ring(
        "receipt", _keys(Order.objects.filter(paid_at__isnull=False, receipt_sent_at=None)), send_receipt, seconds=120
    )
    _ring("invoices", _keys(invoices.owed())[:1], write_invoices, seconds=INVOICES_EVERY)
    _ring("evidence", _keys(evidence_pages.owed(at)), draw_evidence, seconds=60)
    if WideReview.objects.filter(due_at__lte=at).exists() and _rings("wide", 0, seconds=DATES_EVERY):
        follow_wide_reviews.delay()
    due = ReviewDue.objects.filter(Q(claimed_until=None) | Q(claimed_until__lte=at))
    if due.exists() and _rings("review", 0, seconds=REVIEW_EVERY):
        review_offers.delay()
    if waiting.stale_cases(at=at).exists() and _rings("cases", 0, seconds=CASES_EVERY):
        assess_cases.delay()
    _ring("parcel", _keys(uploads.owed(at)), take_parcel, seconds=60)
    _ring("parcels", [0], tidy_parcels, seconds=TIDY_EVERY)
    _ring("gift", _keys(gifts.due(at=at)), tell_gift, seconds=60)
    _ring("letter", letters.owed(at=at, limit=AT_ONCE), send_letter, seconds=60)
    _ring("vies", _keys(late_numbers.due(at=at)), ask_vies_again, seconds=VIES_EVERY)
    if _rings("scrub", 0, seconds=SCRUB_EVERY):
        scrub.delay()
    if _rings("notices", 0, seconds=NOTICES_EVERY):
        look_after_notices.delay()
    _ring_for_days(at)
    if _rings("fetch", 0, seconds=FETCH_EVERY):
        fetch_missed_events.delay()


def _ring_for_days(at: datetime) -> None:
    """What a day or a month that is over owes."""
    if proofs.head_due(at=at) and _rings("head", 0, seconds=60):
        sign_head.delay()
    if months.owed(at=at) and _rings("month", 0, seconds=MONTH_EVERY):
        close_month.delay()
    if reconcile.owed(at=at) and _rings("books", 0, seconds=BOOKS_EVERY):
        compare_books.delay()


@shared_task
def pay_out(_round: int = 0) -> None:
    """Send what is due; what fails stays planned and the next run asks again."""
    done = payouts.run(at=timezone.now(), sources=earnings.sources)
    for payout, why in done.failed:
        log.warning("Payout %s waits: %s", payout.number, why)


@shared_task
def compare_books() -> None:
    """Hold Stripe's books against ours, a day after the other; what differs waits for finance staff."""
    at = timezone.now()
    while (day := reconcile.owed(at=at)) is not None:
        try:
            done = reconcile.reconcile(day, at=at, trace=traces.trace)
        except PaymentsError as error:
            log.warning("The books of %s could not be compared: %s", day, error)
            return
        if done.found:
            log.error("%s differences between Stripe's books and ours on %s.", done.found, day)


@shared_task
def sign_head() -> None:
    """Sign how far the chains have come, once a day."""
    proofs.sign_head(at=timezone.now())


def _keys(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def _ring(kind: str, keys: Iterable[int], task: Any, *, seconds: int) -> None:
    for key in keys:
        if _rings(kind, key, seconds=seconds):
            task.delay(key)


def _rings(kind: str, key: int, *, seconds: int) -> bool:
    """Whether to ring for this row now: not twice within `seconds`. A forgetful cache only means one bell more."""
    return bool(cache.add(f"rung:{kind}:{key}", 1, timeout=seconds))
