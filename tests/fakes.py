"""Stand-ins for the outside world, running in threads of the test's own process.

`stripe_sandbox` is the real sandbox on a port of its own with its memory in memory; the settings point to it, so that
the code under test speaks HTTP through the real `stripe` library. Webhooks are not sent: `webhooks()` hands out what
would be, body and signature, for the test to deliver in any order and number.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from pytest_django import Settings

from payments.sandbox import visitor
from payments.sandbox.server import Sandbox
from payments.sandbox.state import Body
from payments.sandbox.webhooks import sign

SECRET_KEY = "sk_test_tests"
WEBHOOK_SECRET = "whsec_tests"


@dataclass(frozen=True, slots=True)
class Webhook:
    type: str
    body: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class StripeFake:
    """The running sandbox and what a test does to it."""

    sandbox: Sandbox
    sent: list[tuple[bytes, str]]

    @property
    def address(self) -> str:
        return self.sandbox.address

    def pay(self, session_url: str) -> str:
        """Press Pay as a browser would; returns where it sends the buyer."""
        return visitor.pay(session_url)

    def decline(self, session_url: str) -> str:
        return visitor.decline(session_url)

    def pay_later(self, session_url: str) -> str:
        return visitor.pay_later(session_url)

    def arrive(self, session_url: str) -> str:
        return visitor.arrive(session_url)

    def bounce(self, session_url: str) -> str:
        return visitor.bounce(session_url)

    def onboard(self, link_url: str) -> str:
        return visitor.onboard(link_url)

    def webhooks(self, *types: str) -> list[Webhook]:
        """What is due to be sent and has not been handed out, oldest first; of these types only, where given."""
        found = []
        for event_id, attempts in self.sandbox.state.due(at=self.sandbox.state.now(), limit=1_000):
            before = len(self.sent)
            self.sandbox.postman.deliver(event_id, attempts)
            body, signature = self.sent[before]
            found.append(Webhook(self.sandbox.state.get("event", event_id)["type"], body, signature))
        return [one for one in found if not types or one.type in types]

    def objects(self, kind: str) -> list[Body]:
        """Every object of Stripe's kind, oldest first: `transfer`, `refund`, `charge`, …"""
        return list(reversed(self.sandbox.state.find(kind, where={}, limit=10_000)[0]))

    def fund(self, amount_minor: int, currency: str = "eur") -> None:
        """Put money on the platform's balance that no sale brought."""
        self.sandbox.state.move(currency, amount_minor)

    def pass_hours(self, hours: float) -> None:
        """Let time pass at Stripe: pages expire after 24 hours, idempotency keys are forgotten."""
        self.sandbox.state.move_clock(hours * 3600)

    def forget_keys(self) -> None:
        """A day passes and Stripe forgets its idempotency keys."""
        self.pass_hours(25)


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    return sign(body, secret=secret, at=int(time.time()) if at is None else at)


@pytest.fixture
def stripe_sandbox(settings: Settings) -> Iterator[StripeFake]:
    sent: list[tuple[bytes, str]] = []

    def keep(body: bytes, signature: str) -> int:
        sent.append((body, signature))
        return 200

    sandbox = Sandbox(secret_key=SECRET_KEY, webhook_secret=WEBHOOK_SECRET, send=keep)
    sandbox.start(deliver=False)
    settings.STRIPE_SECRET_KEY = SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRETS = [WEBHOOK_SECRET]
    settings.STRIPE_API_BASE = sandbox.address
    try:
        yield StripeFake(sandbox, sent)
    finally:
        sandbox.stop()


@dataclass
class ViesFake:
    """A look-up of VAT numbers that answers as the Commission's does; a test sets what it knows and how it fails."""

    address: str = ""
    known: dict[str, str] = field(default_factory=dict)
    down: str = ""
    silent: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, body: dict[str, str]) -> dict[str, Any]:
        self.asked.append(body)
        if self.down:
            return {"actionSucceed": False, "errorWrappers": [{"error": self.down}]}
        name = self.known.get(body["countryCode"] + body["vatNumber"])
        return {
            "countryCode": body["countryCode"],
            "vatNumber": body["vatNumber"],
            "requestDate": "2026-12-01T12:00:00.000Z",
            "valid": name is not None,
            "requestIdentifier": f"WAPIAAAA{len(self.asked)}" if body.get("requesterNumber") else "",
            "name": name or "---",
            "address": "---",
        }


class _ViesHandler(BaseHTTPRequestHandler):
    fake: ViesFake

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.fake.silent:
            self.close_connection = True
            return
        data = json.dumps(self.fake.answer(body)).encode()
        self.send_response(200 if self.path == "/check-vat-number" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_said: object) -> None:
        """Quietly."""


@pytest.fixture
def vies_fake(settings: Settings) -> Iterator[ViesFake]:
    """VIES on a port of its own, and a shop in Austria that may ask it."""
    fake = ViesFake(known={"DE136695976": "Plattenladen GmbH"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_ViesHandler,), {"fake": fake}))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.address = f"http://127.0.0.1:{server.server_port}"
    settings.VIES_URL = fake.address
    settings.SELLER_COUNTRY, settings.SELLER_VAT_ID = "AT", "ATU13585627"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
