"""The main job, before the user's eyes: from a folder of recordings to files, money and proof.

The same functions do the work that do it in a shop: delivery, examination and encoding by the workers, a reviewer's
approvals, checkout over HTTP, the webhook, the payout. Nothing here writes past them.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.text import slugify

from catalog import parties
from catalog.models import Party, PartyKind, Recording, Track
from licensing import reasons, reviews
from licensing.models import ClearanceDecision, LicenceGrant, Review
from licensing.terms import ReviewOutcome
from licensing.verdicts import Verdict
from payments import audit, chain, payees, payouts
from payments.models import Payee, Payout
from payments.money import Money
from store import access, cases, certificates, clearing, deliveries, owed, records, settlement
from store.delivered_rights import Declaration
from store.demo import cast, shopper
from store.demo.screen import Screen
from store.demo.visitor import Visitor
from store.models import Certificate, Delivery, Order, ReviewDue
from transcoding.models import Finding, Master, Rendition

COUNTRY = "DE"
STALLED_SECONDS = 600
LOOK_SECONDS = 0.3


class JobFailed(RuntimeError):
    """A step of the main job did not hold; the message says which and why."""


@dataclass
class Job:
    """One run: where the recordings lie, who plays whom, and what has come of it so far."""

    folder: Path
    label_name: str
    own_works: bool
    site: str
    screen: Screen
    people: dict[str, cast.Person]
    payees: dict[str, Decimal]
    report: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def label(self) -> Party:
        known = parties.label_named(self.label_name)
        return known or parties.make_party(self.label_name, kind=PartyKind.ORGANISATION)


def run(job: Job) -> bool:
    """All steps in order; False where nothing could be cleared and so nothing was sold. Raises JobFailed."""
    job.report |= {"renditions": [], "order": None, "downloads": [], "ledger": None, "payouts": [], "certificates": []}
    with job.screen.step("deliver", "1  Delivery: the label hands in the folder"):
        delivery = deliver(job)
    with job.screen.step("examine", "2  Masters: the workers examine them in the fence"):
        examine(job, delivery)
    with job.screen.step("review", "3  Rights and review: the reviewer decides on each record"):
        review(job)
    with job.screen.step("clear", "4  Clearance: the engine answers for every country"):
        sellable = clear(job, delivery)
    if not sellable:
        job.screen.line("\nNothing here may be sold, so nothing is. The reasons stand above.")
        return False
    with job.screen.step("render", "5  Renditions: previews, and the formats made ahead"):
        render(job)
    with job.screen.step("sell", f"6  Sale: the shopper buys from {COUNTRY} and pays on the hosted test page"):
        visitor, order = sell(job)
    with job.screen.step("download", "7  Download: every format, and whole releases as zips"):
        download(job, visitor, order)
    with job.screen.step("payout", "8  Payout: the rights holders get their money"):
        pay_out(job)
    with job.screen.step("prove", "9  Proof: certificates, chain and ledger, recomputed"):
        prove(job, order)
    return True


def deliver(job: Job) -> Delivery:
    files, seen = len(deliveries.audio_files(job.folder)), 0

    def on_line(_line: object) -> None:
        nonlocal seen
        seen += 1
        job.screen.bar(min(seen, files), files, "files")

    if job.own_works:
        job.screen.line("  The label declares: works and recordings are the performers' own.")
    delivery = deliveries.deliver(
        job.folder,
        label=job.label,
        actor=job.people["label"].user.actor,
        declaration=Declaration(own_works=job.own_works),
        price=Money.of(129, settings.STORE_CURRENCY),
        release_price=Money.of(900, settings.STORE_CURRENCY),
        on_line=on_line,
    )
    cast.give_label(job.people["label"], job.label)
    for line in delivery.lines.exclude(message=""):
        job.screen.line(f"  {line.path}: {line.message}")
    tracks = _tracks(delivery)
    job.report["tracks_delivered"] = len(tracks)
    job.screen.line(f"  {len(tracks)} tracks delivered of {files} files")
    return delivery


def _tracks(delivery: Delivery) -> list[Track]:
    keys = delivery.lines.exclude(track=None).values("track")
    found = Track.objects.filter(pk__in=keys).select_related("recording", "release")
    return list(found.order_by("release__title", "disc", "number"))


def examine(job: Job, delivery: Delivery) -> None:
    recordings = {track.recording_id for track in _tracks(delivery)}
    masters = Master.objects.filter(recording__in=recordings)
    total = masters.count()
    for _ in _until_still(lambda: total - masters.filter(state=Master.State.EXAMINING).count()):
        waiting = masters.filter(state=Master.State.EXAMINING).count()
        job.screen.bar(total - waiting, total, "masters")
        if not waiting:
            break
    refused = [master for master in masters if master.state == Master.State.REJECTED]
    lossy = masters.filter(state=Master.State.ACCEPTED, lossless=False).count()
    job.screen.line(f"  {total - len(refused)} accepted, {len(refused)} rejected; {lossy} of them lossy")


def _until_still(progress: Callable[[], int]) -> Iterator[None]:
    """Look again and again; JobFailed where nothing has moved for `STALLED_SECONDS`."""
    last, since = progress(), time.monotonic()
    while True:
        yield
        time.sleep(LOOK_SECONDS)
        now = progress()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STALLED_SECONDS:
            raise JobFailed(f"Nothing has moved for {STALLED_SECONDS} s; the logs are in {settings.HOME / 'log'}.")


def review(job: Job) -> None:
    """Approve what the evidence bears out. Whether an authentic licence lets the store sell is the engine's word.

    What is risky or worth much goes to a second reviewer as well.
    """
    first, second = (_at_the_desk(job, job.people[role]) for role in cast.REVIEWERS)
    waiting: list[LicenceGrant] = list(reviews.queue())
    approved, refused, again = 0, 0, list[LicenceGrant]()
    for done, grant in enumerate(waiting, start=1):
        word = _decide(grant, first)
        approved += word.outcome == ReviewOutcome.APPROVED
        refused += word.outcome == ReviewOutcome.REFUSED
        again += [grant] if word.second_needed else []
        job.screen.bar(done, len(waiting), "records")
    for grant in again:
        _decide(grant, second)
    twice = f", {len(again)} of them by two reviewers" if again else ""
    job.screen.line(f"  {len(waiting)} records looked at: {approved} approved{twice}, {refused} refused")


def _at_the_desk(job: Job, person: cast.Person) -> reviews.Reviewer:
    """The reviewer, once she has signed in with her second factor as the desk demands."""
    desk = shopper.sign_in(job.site, email=person.user.email, password=person.password, code=person.code)
    if "/account/" in desk.get("/review/").url:
        raise JobFailed(f"The desk did not let {person.user.email} in.")
    return reviews.Reviewer(person.user.actor, frozenset(access.label_ids(person.user)))


def _decide(grant: LicenceGrant, reviewer: reviews.Reviewer) -> Review:
    record = records.read([grant])[0]
    heard = cases.sounds(grant)
    at = timezone.now()
    if not cases.can_approve(record, records.evidence(grant), heard):
        return reviews.refuse(grant, reviewer=reviewer, reason=cases.claim(record), at=at)
    cases.assess([grant], at=at)
    return reviews.approve(grant, reviewer=reviewer, sound_sha256=cases.shown_sound(grant, heard), at=at)


def clear(job: Job, delivery: Delivery) -> bool:
    """Gather the answer for each delivered track; whether any may be sold."""
    last = ReviewDue.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    asked = ReviewDue.objects.filter(
        pk__lte=last
    )  # finished files leave further marks, which are no question of rights
    for _ in _until_still(asked.count):
        if not asked.exists():
            break
    tracks = _tracks(delivery)
    decisions = clearing.latest_of_recordings([track.recording_id for track in tracks])
    cleared, refused = [], []
    for track in tracks:
        why = _reasons(track.recording, decisions.get(track.recording_id))
        if why:
            refused.append({"title": track.title, "reasons": list(why)})
            job.screen.line(f"  not sold  {track.title}")
            for code, words in why.items():
                job.screen.line(f"            {code}: {words}")
        else:
            cleared.append(track.title)
            job.screen.line(f"  cleared   {track.title}")
    refused += [
        {"title": line.path, "reasons": [line.code or line.outcome]}
        for line in delivery.lines.filter(outcome="REFUSED", track=None)
    ]
    job.report |= {"tracks_cleared": len(cleared), "tracks_refused": refused}
    return bool(cleared)


def _reasons(recording: Recording, decision: ClearanceDecision | None) -> dict[str, str]:
    """Why a recording may not be sold in `COUNTRY`, in words by code; nothing where it may."""
    masters = Master.objects.filter(recording=recording)
    if not masters.filter(state=Master.State.ACCEPTED).exists():
        found = Finding.objects.filter(master__in=masters, severity=Finding.Severity.FATAL)
        return dict(found.values_list("code", "message")) or {"NO_MASTER": "There is no accepted sound."}
    if decision is None:
        return {"NOT_DECIDED": "The engine has not been asked yet."}
    if clearing.holds(decision, at=timezone.now(), country=COUNTRY):
        return {}
    found_reasons = Verdict.from_data(decision.verdict).reasons_in(COUNTRY)
    return {one.code: reasons.sentence(one.code, layer=one.layer, detail=one.detail) for one in found_reasons}


def render(job: Job) -> None:
    """Wait until the workers have made all that is owed, then list it."""
    made = Rendition.objects.filter(state=Rendition.State.READY)
    for _ in _until_still(lambda: made.count() + ReviewDue.objects.count()):
        owing = Rendition.objects.filter(state__in=[Rendition.State.PLANNED, Rendition.State.MAKING]).count()
        ready = made.count()
        job.screen.bar(ready, ready + owing, "files")
        if not owing and not ReviewDue.objects.exists():
            break
    failed = Rendition.objects.filter(state=Rendition.State.FAILED)
    if failed.exists():
        raise JobFailed("; ".join(f"{one}: {one.error}" for one in failed[:5]))
    job.screen.line(f"  {made.count()} files made and proven")


def sell(job: Job) -> tuple[Visitor, Order]:
    _name_payees(job)
    person = job.people["shopper"]
    visitor = shopper.sign_in(job.site, email=person.user.email, password=person.password)
    chosen = shopper.offers_to_buy()
    if not chosen:
        raise JobFailed("Tracks are cleared, but none is on sale.")
    order = shopper.buy(visitor, chosen, country=COUNTRY)
    lines = [{"title": line.title, "amount_minor": line.amount_minor} for line in order.lines.all()]
    job.report["order"] = {
        "number": order.number,
        "total_minor": order.total_minor,
        "currency": order.currency,
        "lines": lines,
    }
    job.screen.line(f"  order {order.number}: {order.total_minor / 100:.2f} {order.currency}, paid and posted")
    for leg in _who_got_what(order):
        job.screen.line(f"    {leg}")
    return visitor, order


def _name_payees(job: Job) -> None:
    """The label's letters of direction, and Stripe accounts for those whom they name."""
    today = timezone.now().date()
    known = {letter.payee.name for letter in owed.letters(job.label)}
    for name, percent in job.payees.items():
        if name not in known:
            letter = owed.sign_letter(
                job.label,
                name=name,
                email=f"{slugify(name)}@demo.example",
                country=COUNTRY,
                currency=settings.STORE_CURRENCY,
                percent=percent,
                layer="",
                starts_on=today,
                signed_by=job.people["label"].user.actor,
            )
            owed.name_in_public(job.label, letter.payee, agreed=True)
            _onboard(job, letter.payee)


def _onboard(job: Job, payee: Payee) -> None:
    """What a payee does at Stripe: follow the link, confirm who it is, come back."""
    browser = Visitor(job.site)
    page = browser.get(payees.onboarding_link(payee, refresh_url=job.site, return_url=job.site))
    browser.submit(page, page.form("/onboard/"))
    payees.refresh_payee(payee)


def _who_got_what(order: Order) -> list[str]:
    """What was posted, in words: the tax, the shop, and each payee by letter of direction."""
    names = dict(Payee.objects.values_list("pk", "name"))
    sums: dict[str, int] = {}
    for line in order.lines.all():
        for leg in line.split:
            words = {"TAX": f"consumer tax, {leg['label']}", "COMMISSION": "the shop's commission"}
            who = words.get(leg["kind"]) or names.get(leg["payee"], f"{leg['label']} (no letter yet: in suspense)")
            sums[who] = sums.get(who, 0) + int(leg["micros"])
    return [f"{Decimal(micros).scaleb(-6):>11.6f} {order.currency}  {who}" for who, micros in sums.items()]


def download(job: Job, visitor: Visitor, order: Order) -> None:
    seen = 0

    def on_file(_fetch: shopper.Fetch, total: int) -> None:
        nonlocal seen
        seen += 1
        job.screen.bar(seen, total, "downloads")

    fetched = shopper.fetch_all(visitor, order, on_file=on_file)
    job.report["downloads"] = [fetch.to_json() for fetch in fetched]
    broken = [fetch for fetch in fetched if not fetch.decodes]
    if broken:
        raise JobFailed("; ".join(f"{fetch.file_name} as {fetch.format} does not decode" for fetch in broken))
    for fetch in fetched:
        job.screen.line(f"  {fetch.format:<9} {fetch.kind:<4} {fetch.bytes:>12,} bytes  {fetch.file_name}")
    job.report["renditions"] = _renditions()


def _renditions() -> list[dict[str, object]]:
    rows = Rendition.objects.filter(state=Rendition.State.READY).select_related("master__recording")
    return [
        {
            "track": row.master.recording.title,
            "format": row.format,
            "bytes": row.bytes,
            "sha256": row.sha256,
        }
        for row in rows.order_by("master__recording__title", "format", "sha256")
    ]


def pay_out(job: Job) -> None:
    payouts.run(minimum_minor=settings.PAYOUT_MINIMUM_MINOR, at=timezone.now())
    paid = Payout.objects.select_related("payee").order_by("payee__name", "pk")
    job.report["payouts"] = [{"payee": row.payee.name, "amount_minor": row.amount_minor} for row in paid]
    for row in paid:
        job.screen.line(f"  {row.payee.name}: {row.amount_minor / 100:.2f} {row.currency} ({row.state.lower()})")
        if row.state not in {Payout.State.SENT, Payout.State.SETTLED}:
            raise JobFailed(f"The payout to {row.payee.name} is {row.state}.")
    if not paid:
        raise JobFailed("Nobody was paid.")


def prove(job: Job, order: Order) -> None:
    for _ in _until_still(lambda: 0):
        order = settlement.check_order(order, at=timezone.now())  # the sweep's way to the payment fee
        if order.fee_posted_at:
            break
    chain.seal_new(at=timezone.now())
    issued = list(Certificate.objects.filter(order_line__order=order).order_by("order_line__position"))
    addresses = [certificates.address(one) for one in issued]
    anybody = Visitor(job.site)
    for address in addresses:
        anybody.get(address)
    verified = audit.verify()
    job.report["certificates"] = addresses
    job.report["ledger"] = {
        "transfers": verified.transfers,
        "entries": verified.entries,
        "balanced": verified.balanced,
        "chain_ok": verified.chain_ok,
    }
    for address in addresses:
        job.screen.line(f"  {address}")
    if verified.problem or not addresses:
        raise JobFailed(f"The proof does not hold: {verified.problem or 'there is no certificate'}")
    job.screen.line(f"  {job.report['ledger']['transfers']} transfers balance, and the chain holds")
