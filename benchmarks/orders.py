"""Orders through HTTP, as people place them, for ten minutes: how many a second, and how soon what is paid is there.

A shop of its own is started as production starts it (granian, workers, beat), with the Stripe sandbox behind its own
HTTP. Shoppers in another process look at a release, fill a basket, check out, pay on the sandbox's page, come back (one
in four does not, and has only the webhook to thank) and fetch a file. First they come as fast as they are served, which
says how many orders a second there can be; then at a steady rate, the goal's or nine tenths of what there can be.
Afterwards every order must be settled, every webhook handled, and the ledger verify. Beside the goals stands where the
processors' time went, the shoppers' own included, by process and order.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, Progress

RATE, DOWNLOADABLE = 50.0, 3.0
SECONDS, QUICK_SECONDS = 600.0, 8.0
FASTEST_SECONDS, QUICK_FASTEST_SECONDS = 30.0, 6.0
WHOLE_WAY = "paid to downloaded"


def run(*, quick: bool, say: Progress) -> list[Figure]:
    asked = {
        "rate": RATE,
        "seconds": float(os.environ.get("ORDERS_SECONDS") or (QUICK_SECONDS if quick else SECONDS)),
        "fastest_seconds": QUICK_FASTEST_SECONDS if quick else FASTEST_SECONDS,
    }
    say(f"a shop of its own, and shoppers for {asked['seconds']:.0f} seconds")
    with TemporaryDirectory(prefix="clearsong-bench-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.till.stage"],
            input=json.dumps(asked),
            env={**os.environ, "CLEARSONG_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return figures(json.loads(done.stdout))


def figures(done: dict[str, Any]) -> list[Figure]:
    fastest, steady = done["fastest"], done["steady"]
    refused = fastest["failures"] + steady["failures"]
    for each in refused[:5]:
        sys.stderr.write(f"refused: {each}\n")
    waits = steady["steps"].pop(WHOLE_WAY)
    more: dict[str, Any] = {"goal": 1.0, "more_is_better": True}
    return [
        Figure("orders.fastest", _rate(fastest), "1/s"),
        Figure("orders.offered", done["rate"], "1/s"),
        Figure("orders.sustained", _rate(steady), "1/s", RATE, **more),
        Figure("orders.paid_to_downloaded_p50", _percentile(waits, 50), "s"),
        Figure("orders.paid_to_downloaded_p95", _percentile(waits, 95), "s", DOWNLOADABLE, 1.0),
        Figure("orders.settled", done["settled"], "orders", done["orders"], **more),
        Figure("orders.certificates", done["certificates"], "rows", done["lines"], **more),
        Figure("orders.fees_posted", done["settled"] - done["without fee"], "orders", done["settled"], **more),
        Figure("orders.webhooks_handled", done["handled"], "rows", done["events"], **more),
        Figure("orders.fine_pages", 1.0 if not refused else 0.0, "all", 1.0, **more),
        Figure("orders.ledger_verifies", float(done["verified"]), "yes", 1.0, **more),
        Figure("orders.verify", done["verify"], "s"),
        Figure("orders.left_to_do_afterwards", done["drained"], "s"),
        *(Figure(f"orders.p95_{_word(step)}", _percentile(taken, 95), "s") for step, taken in steady["steps"].items()),
        *(
            Figure(f"orders.processor_{name}", 1000 * taken / len(fastest["done_at"]), "ms/order")
            for name, taken in fastest["cpu"].items()
        ),
    ]


def _rate(round_: dict[str, Any]) -> float:
    """Orders whose file had come, a second, until the last of them had."""
    return float(len(round_["done_at"]) / round_["seconds"])


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _word(step: str) -> str:
    return step.replace(" ", "_")
