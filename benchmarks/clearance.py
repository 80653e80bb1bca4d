"""Rights of a whole catalogue: decided from nothing, withdrawn, listed by country, and asked one by one.

The catalogue is made up with SQL: a million recordings on a hundred thousand releases, 1,200,000 grants of 25,000
holders. One label's hundred thousand recordings stand on one record for its catalogue; seven in ten works are licensed
by societies for all their members' works, the others by their publishers one by one. Two processes do the deciding, as
two workers would. The times are held against the clock of the issue, scaled to the size that was run; a page by country
is held against the same page without the country, in the same run. The audit chain over all of it is measured beside
this, by `audit_chain`.
"""

import gc
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Progress, seconds

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PROCESSES = 2
START_SECONDS = 120  # for the workers to come up; never part of a figure
RARE = "MC"  # a country in which few are cleared
COMMON = "DE"
PAGE = 50
ROUNDS = 30

CLEAR_SECONDS, CLEAR_OF = 600, 1_000_000
WITHDRAW_SECONDS, WITHDRAW_OF = 60, 100_000
DECIDE_MICROSECONDS, DECIDE_A_SECOND = 300, 3000
PAGE_RATIO = 1.3


@dataclass(frozen=True)
class Size:
    """How much of everything: recordings, those of the one large label, and recordings on a release."""

    recordings: int
    large: int
    labels: int
    societies: int = 40
    on_release: int = 10
    stripe: int = 0  # neighbours that one worker does; nought leaves it as in the store

    @property
    def publishers(self) -> int:
        """Works with a record of their own: three in ten."""
        return 3 * self.recordings // 10


FULL = Size(recordings=1_000_000, large=100_000, labels=24_900)
QUICK = Size(recordings=4_000, large=1_000, labels=100, societies=10, stripe=512)


def run(*, quick: bool, say: Progress) -> list[Figure]:
    from benchmarks.audit_chain import (
        own_database,
    )  # late, as all that needs Django: the workers import this file first

    size = QUICK if quick else FULL
    figures = deciding(quick=quick, say=say)
    say("making a database of its own")
    with own_database():
        build(size, say)
        figures += clearing(size, say)
        figures += listing(size, say)
        figures += withdrawing(size, say)
    return figures


# -- One question ------------------------------------------------------------------------------------------------------


def deciding(*, quick: bool, say: Progress) -> list[Figure]:
    """`decide` on one recording with eight records over all countries: the median of many, and how many a second."""
    from licensing import rules

    say("deciding one recording with eight records")
    asked, evidence = eight_records()
    for _ in range(200):
        rules.decide(asked, evidence)
    times = []
    gc.collect()
    for _ in range(500 if quick else 5000):
        start = time.perf_counter()
        rules.decide(asked, evidence)
        times.append(time.perf_counter() - start)
    median = statistics.median(times)
    return [
        Figure("clearance.decide_8_records", median * 1e6, "us", limit=DECIDE_MICROSECONDS, goal=1.0),
        Figure("clearance.decide_a_second", 1 / median, "1/s", limit=DECIDE_A_SECOND, goal=1.0, more_is_better=True),
    ]


def eight_records() -> tuple[Any, Any]:
    """Two records of the recording and six of two works, with countries and dates that cut across each other."""
    from licensing.records import Approval, Evidence, EvidenceItem, Question, Record, evidence_hash
    from licensing.terms import ALL_USES, Use
    from licensing.territories import TerritorySet

    item = EvidenceItem("AGREEMENT", "e" * 64, "e" * 64)
    approval = Approval("APPROVED", "user:rita", True, evidence_hash([item.sha256]), "5" * 64)

    def record(number: int, layer: str, subject: str, **over: Any) -> Record:
        fields: dict[str, Any] = {
            "id": f"record-{number}", "version": 1, "layer": layer, "subject": subject, "licensor": f"holder-{number}",
            "licensor_name": f"Holder {number}", "licensee": "STORE", "basis": "DIRECT", "uses": frozenset(ALL_USES),
            "territories": TerritorySet.world(), "state": "APPROVED", "evidence": (item,), "approval": approval,
        }  # fmt: skip
        return Record(**{**fields, **over})

    half, third = Fraction(1, 2), Fraction(1, 3)
    records = (
        record(1, "RECORDING", "rec", licensor="label", territories=TerritorySet.world(but=["US", "CA"])),
        record(2, "RECORDING", "rec", licensor="label", territories=TerritorySet.only("US"), ends_on=date(2027, 1, 1)),
        record(3, "WORK", "work-1", share=half, territories=TerritorySet.world(but=["JP"])),
        record(4, "WORK", "work-1", share=half, starts_on=date(2020, 1, 1)),
        record(5, "WORK", "work-2", share=third),
        record(6, "WORK", "work-2", share=third, territories=TerritorySet.world(but=["BR", "AR"])),
        record(7, "WORK", "work-2", share=third, ends_on=date(2030, 6, 30)),
        record(8, "WORK", "work-2", licensor="holder-5", share=third, territories=TerritorySet.only("BR")),
    )
    evidence = Evidence("rec", ("work-1", "work-2"), records, "Elan", ("Ana",))
    return Question(str(Use.PERMANENT_DOWNLOAD), NOW, sound_sha256="5" * 64), evidence


# -- The catalogue -----------------------------------------------------------------------------------------------------


def build(size: Size, say: Progress) -> None:
    """All rows, as the acts would have left them; triggers rest meanwhile, and the statistics are taken afterwards."""
    from django.db import connection

    values: dict[str, str | int | datetime] = {
        "recordings": size.recordings, "large": size.large, "labels": size.labels, "societies": size.societies,
        "on_release": size.on_release, "publishers": size.publishers, "now": NOW,
        "first_label": 2, "last_label": 1 + size.labels, "first_society": 100_000, "first_wide": 10_000_000,
        "rare": RARE,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for step, statement in _statements():
            say(step)
            cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = DEFAULT")
        say("taking statistics")
        cursor.execute("VACUUM ANALYZE")


def _statements() -> Iterator[tuple[str, str]]:
    """The steps of `clearance.sql` with their statements."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for part in text.split("-- step: ")[1:]:
        step, _, statement = part.partition("\n")
        yield step, statement


# -- Clearing ----------------------------------------------------------------------------------------------------------


def clearing(size: Size, say: Progress) -> list[Figure]:
    """Every recording and release, from nothing, for selling and for previewing, by two processes."""
    from django.db import connection

    from licensing import reclearing
    from licensing.models import ClearanceDecision, LicenceGrant

    say(f"clearing {size.recordings:,} recordings from nothing")
    reclearing.owe_everything(cause="benchmark", parts=PROCESSES)
    taken = _work_off(size.stripe)
    decisions = ClearanceDecision.objects.count()
    standing = ClearanceDecision.objects.order_by("recording_id", "release_id", "use", "-pk")
    silent = sum(not row for row in standing.distinct("recording_id", "release_id", "use").values_list(
        "cleared_countries", flat=True
    ).iterator())  # fmt: skip
    if silent:
        raise RuntimeError(f"{silent} answers clear nothing: the catalogue is not as meant.")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM store_reviewdue")
    limit = CLEAR_SECONDS * size.recordings / CLEAR_OF
    return [
        Figure("clearance.grants", LicenceGrant.objects.count(), "rows"),
        Figure("clearance.clear_all", taken, "s", limit=limit, goal=1.0),
        Figure("clearance.decisions_a_second", decisions / taken, "1/s"),
    ]


def withdrawing(size: Size, say: Progress) -> list[Figure]:
    """The large label's record ends: off sale for the very next request, then all of it decided anew."""
    from licensing import grants
    from licensing.models import LicenceGrant
    from store.models import Offer
    from store.views.sleeves import open_in, shown

    grant = LicenceGrant.objects.get(catalogue_id=1)
    before = open_in(COMMON).filter(release__label=1).count()
    say(f"withdrawing a record for {size.large:,} recordings")
    with seconds() as acted:
        grants.end_grant(grant, reason="The contract is over.", actor="user:bob", at=NOW)
    with seconds() as asked:
        left = open_in(COMMON).filter(release__label=1).count() + shown(COMMON).filter(label=1).count()
    if left or not before:
        raise RuntimeError(f"{left} of {before} offers were still listed after the withdrawal.")
    say("deciding it anew")
    taken = _work_off(size.stripe)
    if Offer.objects.filter(closed_at=None, release__label=1).exists():
        raise RuntimeError("Offers of the withdrawn catalogue are still open.")
    limit = WITHDRAW_SECONDS * size.large / WITHDRAW_OF
    return [
        Figure("clearance.withdraw_act", acted(), "s"),
        Figure("clearance.withdraw_first_request", asked(), "s"),
        Figure("clearance.withdraw_decided_anew", taken, "s", limit=limit, goal=1.0),
    ]


def _work_off(stripe: int) -> float:
    """What two workers do until nothing is owed; how many seconds they took, once both were up and connected."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.close()
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(PROCESSES + 1)
    workers = [context.Process(target=_worker, args=(str(name), ready, stripe)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    ready.wait(START_SECONDS)
    with seconds() as taken:
        for worker in workers:
            worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("A worker failed; what it said stands above.")
    return taken()


def _worker(database: str, ready: Barrier, stripe: int) -> None:
    import django

    django.setup()
    from django.db import connection

    from licensing import reclearing
    from licensing.models import Reclearance
    from store import clearing as store_clearing

    connection.settings_dict["NAME"] = database
    connection.ensure_connection()
    reclearing.STRIPE = stripe or reclearing.STRIPE
    ready.wait(START_SECONDS)
    while Reclearance.objects.filter(done_at=None).exists():
        job = reclearing.claim(at=datetime.now(UTC))
        if job is None:  # the other has it, and may be about to share it
            time.sleep(0.05)
            continue
        while not reclearing.work(job, at=NOW, sounds=store_clearing.sounds_of).finished:
            pass


# -- Lists -------------------------------------------------------------------------------------------------------------


def listing(size: Size, say: Progress) -> list[Figure]:
    """The page of the newest releases: without a country, and for one where most and one where few are cleared."""
    from django.db import connection

    say("putting what is cleared on the shelves")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "INSERT INTO store_offer (public_id, use, currency, amount_minor, opened_at, closed_reason, decision_id, "
            "release_id) SELECT DISTINCT ON (release_id) gen_random_uuid(), use, 'EUR', 800, %s::timestamptz, '', id, "
            "release_id FROM licensing_clearancedecision "
            "WHERE release_id IS NOT NULL AND use = 'PERMANENT_DOWNLOAD' ORDER BY release_id, id DESC",
            [NOW],
        )
        cursor.execute(
            "INSERT INTO store_offer (public_id, use, currency, amount_minor, opened_at, closed_reason, decision_id, "
            "track_id) SELECT gen_random_uuid(), kept.use, 'EUR', 100, %s, '', kept.id, track.id "
            "FROM licensing_clearancedecision kept JOIN catalog_track track ON track.recording_id = kept.recording_id "
            "WHERE kept.use = 'PERMANENT_DOWNLOAD' AND kept.recording_id <= %s",
            [NOW, size.large],
        )
        cursor.execute("SET session_replication_role = DEFAULT")
        releases = size.recordings // size.on_release
        for first in range(0, releases, 2000):
            cursor.execute("SELECT store_shelve(ARRAY(SELECT generate_series(%s, %s)))", [first + 1, first + 2000])
        cursor.execute("VACUUM ANALYZE store_offer, store_shelf, licensing_clearancedecision")
    say("listing")
    countries = {"anywhere": "", "where_most_are": COMMON, "where_few_are": RARE}
    times: dict[str, list[float]] = {name: [] for name in countries}
    counts = {name: len(page(country)) for name, country in countries.items()}
    order = list(countries)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            start = time.perf_counter()
            page(countries[name])
            times[name].append(time.perf_counter() - start)
    base = statistics.median(times["anywhere"])
    return [
        Figure("clearance.page_anywhere", base * 1e3, "ms"),
        *(
            Figure(
                f"clearance.page_{name}",
                statistics.median(times[name]) * 1e3,
                "ms",
                limit=base * 1e3,
                goal=PAGE_RATIO if counts[name] == counts["anywhere"] else None,
            )
            for name in ("where_most_are", "where_few_are")
        ),
    ]


def page(country: str) -> Sequence[Any]:
    """What a list page reads: fifty releases with their artists, prices and covers."""
    from store.views.sleeves import newest, sleeves

    return sleeves(list(newest(PAGE, country)), country=country or COMMON)
