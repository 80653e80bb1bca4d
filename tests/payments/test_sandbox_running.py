"""The stand-in as a program: it keeps its memory over restarts, and delivers webhooks until they are taken."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from payments.sandbox import visitor
from payments.sandbox.state import State
from payments.sandbox.webhooks import Postman
from tests.payments.test_sandbox_answers import session_params

KEY, SECRET = "sk_test_program", "whsec_program"


class Shop:
    """Takes webhooks; refuses the first ones it is told to."""

    def __init__(self) -> None:
        self.taken: dict[str, stripe.Event] = {}
        self.refusals = 0
        self.came = threading.Event()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(shop.receive(body, self.headers["Stripe-Signature"]))
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def receive(self, body: bytes, signature: str) -> int:
        event = stripe.Webhook.construct_event(body, signature, SECRET)
        if self.refusals:
            self.refusals -= 1
            return 503
        self.taken[event.id] = event
        if event.type == "checkout.session.completed":
            self.came.set()
        return 200

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


class Program:
    def __init__(self, home: Path, shop: Shop) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (home / "run").mkdir(exist_ok=True)
        (home / "run" / "web.json").write_text(
            json.dumps({"webhook_url": f"http://127.0.0.1:{shop.server.server_port}/stripe/webhook"})
        )
        environment = os.environ | {
            "CLEARSONG_HOME": str(home), "SANDBOX_PORT": str(self.port), "SANDBOX_SECRET_KEY": KEY,
            "SANDBOX_WEBHOOK_SECRET": SECRET, "SANDBOX_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
        }  # fmt: skip
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen([sys.executable, "-m", "payments.sandbox"], env=environment, cwd=root)
        self.api = stripe.StripeClient(KEY, base_addresses={"api": f"http://127.0.0.1:{self.port}"})
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                connection.close()
            except OSError:
                threading.Event().wait(0.05)
            else:
                return
        raise AssertionError("the sandbox did not come up")

    def stop(self, *, kill: bool = False) -> None:
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(timeout=20)


@pytest.mark.parametrize("kill", [False, True])
def test_what_was_paid_is_remembered_and_told_after_a_restart(kill: bool, tmp_path: Path, shop: Shop) -> None:  # noqa: FBT001
    program = Program(tmp_path, shop)
    shop.refusals = 1_000
    session = program.api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    visitor.pay(session.url or "")
    program.stop(kill=kill)
    shop.refusals = 0
    program = Program(tmp_path, shop)
    assert program.api.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert program.api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"}).id == session.id
    assert shop.came.wait(30)
    program.stop()


def test_a_webhook_that_is_not_taken_is_sent_again_later_each_time() -> None:
    state = State()
    postman = Postman(state, secret=SECRET, send=lambda _body, _signature: 500)
    event = state.emit("charge.succeeded", {"id": "ch_1", "object": "charge"})
    now = time.time()
    for attempt in range(4):
        ((key, attempts),) = state.due(at=now + 10**6)
        assert (key, attempts) == (event["id"], attempt)
        assert not postman.deliver(key, attempts)
        assert state.due(at=time.time() + 2**attempt - 1) == []
    state.close()


def test_a_webhook_that_was_taken_is_not_sent_again() -> None:
    state = State()
    postman = Postman(state, secret=SECRET, send=lambda _body, _signature: 200)
    event = state.emit("charge.succeeded", {"id": "ch_1", "object": "charge"})
    assert postman.deliver(event["id"], 0)
    assert state.due(at=time.time() + 10**6) == []
    assert state.undelivered() == 0
    state.close()


def test_the_program_says_what_it_lacks(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SANDBOX_")}
    done = subprocess.run(
        [sys.executable, "-m", "payments.sandbox"], env=environment, capture_output=True, text=True, timeout=60,
        cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Set SANDBOX_" in done.stderr
