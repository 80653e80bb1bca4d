"""The sandbox's HTTP: Stripe's API under `/v1`, the hosted pages, in a bounded number of threads."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import re
import select
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qs, urlsplit

from payments.sandbox import annotations, forms, pages
from payments.sandbox.api import Api, expand
from payments.sandbox.balances import Balances
from payments.sandbox.chargebacks import Chargebacks
from payments.sandbox.errors import ApiError
from payments.sandbox.state import Body, State
from payments.sandbox.webhooks import Postman, Send

log = logging.getLogger(__name__)

THREADS = 16
MOST_PATIENCE = 60  # seconds that a client is kept waiting for nothing
MOST_BODY_BYTES = 1024 * 1024
KEY_SECONDS = 24 * 3600
LATEST = 20  # payments on the front page
ID = r"([A-Za-z0-9_]{1,100})"


@dataclass(frozen=True, slots=True)
class Route:
    """A call: its method and path, the class that describes its parameters, and the function that answers, by its way
    from the sandbox."""

    method: str
    path: str
    params: str
    call: str
    takes_params: bool = False


ROUTES = [
    Route("POST", "/v1/checkout/sessions", "checkout.SessionCreateParams", "api.create_session", takes_params=True),
    Route(
        "GET",
        f"/v1/checkout/sessions/{ID}/line_items",
        "checkout.SessionListLineItemsParams",
        "api.list_line_items",
        takes_params=True,
    ),
    Route("GET", f"/v1/checkout/sessions/{ID}", "checkout.SessionRetrieveParams", "api.read_session"),
    Route("POST", f"/v1/checkout/sessions/{ID}/expire", "checkout.SessionExpireParams", "api.expire_session"),
    Route("GET", f"/v1/payment_intents/{ID}", "PaymentIntentRetrieveParams", "api.read_intent"),
    Route("GET", f"/v1/charges/{ID}", "ChargeRetrieveParams", "api.read_charge"),
    Route("GET", "/v1/balance", "BalanceRetrieveParams", "balances.read"),
    Route("GET", "/v1/balance_transactions", "BalanceTransactionListParams", "balances.list_all", takes_params=True),
    Route("GET", f"/v1/balance_transactions/{ID}", "BalanceTransactionRetrieveParams", "balances.read_one"),
    Route("GET", "/v1/disputes", "DisputeListParams", "chargebacks.list_all", takes_params=True),
    Route("GET", f"/v1/disputes/{ID}", "DisputeRetrieveParams", "chargebacks.read"),
    Route("POST", f"/v1/disputes/{ID}", "DisputeUpdateParams", "chargebacks.answer", takes_params=True),
    Route("POST", f"/v1/disputes/{ID}/close", "DisputeCloseParams", "chargebacks.accept"),
    Route("POST", "/v1/refunds", "RefundCreateParams", "api.create_refund", takes_params=True),
    Route("GET", "/v1/refunds", "RefundListParams", "api.list_refunds", takes_params=True),
    Route("GET", f"/v1/refunds/{ID}", "RefundRetrieveParams", "api.read_refund"),
    Route("POST", "/v1/accounts", "AccountCreateParams", "api.create_account", takes_params=True),
    Route("GET", f"/v1/accounts/{ID}", "AccountRetrieveParams", "api.read_account"),
    Route("POST", "/v1/account_links", "AccountLinkCreateParams", "api.create_account_link", takes_params=True),
    Route("POST", "/v1/transfers", "TransferCreateParams", "api.create_transfer", takes_params=True),
    Route("GET", "/v1/transfers", "TransferListParams", "api.list_transfers", takes_params=True),
    Route("GET", f"/v1/transfers/{ID}", "TransferRetrieveParams", "api.read_transfer"),
    Route(
        "POST",
        f"/v1/transfers/{ID}/reversals",
        "TransferCreateReversalParams",
        "api.create_reversal",
        takes_params=True,
    ),
    Route("GET", "/v1/events", "EventListParams", "api.list_events", takes_params=True),
    Route("GET", f"/v1/events/{ID}", "EventRetrieveParams", "api.read_event"),
]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


NEVER = Answer(0, b"", {})  # the work is done, and nobody is told until the client loses patience
FAULTS = {
    "saved_500": "an answer of 500, nothing done, replayed under its key for a day",
    "rate_limited": "an answer of 429, nothing done and nothing kept",
    "insufficient_funds": "refused, because the money is not there",
    "lost_reply": "the work is done, then the connection breaks",
    "timeout": "the work is done, and no answer comes",
    "late": "webhooks: each first comes after some seconds",
    "doubled": "webhooks: each comes twice at once",
    "shuffled": "webhooks: in any order",
}
REFUSALS: dict[str, tuple[int, Body]] = {
    "saved_500": (500, {"error": {"type": "api_error", "message": "An unknown error occurred."}}),
    "rate_limited": (
        429, {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}}
    ),
    "insufficient_funds": (
        400, {"error": {"type": "invalid_request_error", "code": "balance_insufficient",
                        "message": "You have insufficient available funds in your Stripe account."}}
    ),
}  # fmt: skip


class Sandbox:
    """One running stand-in: `address` after `start`, then calls, pages and webhooks until `stop`."""

    def __init__(
        self,
        *,
        secret_key: str,
        webhook_secret: str,
        send: Send,
        state: State | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str = "",
    ) -> None:
        self.state = state or State()
        self.api = Api(self.state, lambda: self.address)
        self.balances = Balances(self.state)
        self.chargebacks = Chargebacks(self.state)
        self.postman = Postman(self.state, secret=webhook_secret, send=send)
        self._key = secret_key
        self._public_url = public_url.rstrip("/")
        self._server = _Server((host, port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="sandbox", daemon=True)

    @property
    def address(self) -> str:
        return self._public_url or f"http://127.0.0.1:{self._server.server_port}"

    def start(self, *, deliver: bool = True) -> None:
        self._thread.start()
        if deliver:
            self.postman.start()

    def serve(self) -> None:
        """As `start`, in this thread, until interrupted."""
        self.postman.start()
        self._server.serve_forever(0.5)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=10)
        self._server.server_close()
        self.postman.stop()
        self.state.close()

    def fail_next(self, path: str, how: str) -> None:
        """Let the next call of `path` go wrong, in one of the ways that FAULTS names."""
        if how not in FAULTS:
            raise ValueError(f"{how} is no fault; there are {', '.join(FAULTS)}.")
        self.state.fail_next(path, how)

    def fail_none(self) -> None:
        """Faults that were asked for and did not come to pass yet are called off."""
        self.state.fail_none()

    def answer_call(self, method: str, target: str, body: str, headers: Any) -> Answer | None:
        """Answer one call of the API; None breaks the connection."""
        path = urlsplit(target)
        try:
            self._authorise(headers.get("Authorization", ""))
            self.state.acting_for = headers.get("Stripe-Account") or ""
            text = body if method == "POST" else path.query
            if method != "POST" or not headers.get("Idempotency-Key"):
                return self._answer(method, path.path, text)
            return self._answer_once(headers["Idempotency-Key"], path.path, text)
        except ApiError as error:
            return _json(error.status, error.body())

    def _answer_once(self, key: str, path: str, text: str) -> Answer | None:
        """The first reply under a key is the reply under that key for a day, a failure of ours included."""
        if len(key) > 255:  # noqa: PLR2004 - Stripe's own limit
            raise ApiError("Idempotency keys are at most 255 characters.", type="idempotency_error")
        asked = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()
        with self.state.transaction():
            self.state.forget_replies(older_than=KEY_SECONDS)
            saved = self.state.reply(key)
            if saved is not None:
                if saved[0] != asked:
                    raise ApiError(
                        "Keys for idempotent requests can only be used with the same parameters they were first used "
                        f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                        type="idempotency_error",
                    )
                return _json(saved[1], json.loads(saved[2]), replayed=True)
            how = self.state.fault(path)
            answer = _json(*REFUSALS[how]) if how in REFUSALS else self._answer("POST", path, text)
            # A call refused for its parameters, or for coming too fast, leaves no trace under its key, as at Stripe.
            if answer.status not in {400, 429}:
                self.state.save_reply(key, asked=asked, status=answer.status, body=answer.body.decode())
        return {"lost_reply": None, "timeout": NEVER}.get(how, answer)

    def _answer(self, method: str, path: str, text: str) -> Answer:
        for route in ROUTES:
            match = re.fullmatch(route.path, path)
            if match and route.method == method:
                return self._call(route, match, forms.decode(text))
        raise ApiError(f"Unrecognized request URL ({method}: {path}).", status=404)

    def _call(self, route: Route, match: re.Match[str], asked: Body) -> Answer:
        try:
            params = annotations.check_request(route.params, asked)
            wanted = params.pop("expand", [])
            arguments = [*match.groups(), *([params] if route.takes_params else [])]
            with self.state.transaction():
                body = attrgetter(route.call)(self)(*arguments)
                body = expand(self.state, body, wanted)
        except ApiError as error:
            return _json(error.status, error.body())
        self.postman.ring()
        return _json(200, body)

    def _authorise(self, header: str) -> None:
        scheme, _, given = header.partition(" ")
        if scheme == "Basic":
            try:
                given = base64.b64decode(given).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise ApiError("Invalid API Key provided.", status=401)

    def answer_page(self, method: str, path: str, form: dict[str, list[str]]) -> Answer:
        """The hosted pages: shown by GET, pressed by POST."""
        if path == "/sandbox.css":
            return Answer(200, pages.STYLE, {"Content-Type": "text/css", "Cache-Control": "max-age=300"})
        pay = re.fullmatch(f"/pay/{ID}", path)
        onboard = re.fullmatch(f"/onboard/{ID}", path)
        try:
            if path in {"/", "/healthz"}:
                return self._front_page(method, form)
            if pay:
                return self._pay_page(method, pay[1], form)
            if onboard:
                return self._onboard_page(method, onboard[1])
        except ApiError as error:
            return _html(error.status, pages.refused("Not found", "There is no such page here."))
        return _html(404, pages.refused("Not found", "There is no such page here."))

    def _pay_page(self, method: str, key: str, form: dict[str, list[str]]) -> Answer:
        pressed = (form.get("action") or [""])[0] if method == "POST" else ""
        with self.state.transaction():
            session = self.api.read_session(key)
            acts = {"pay": self.api.pay, "later": self.api.pay_later, "decline": self.api.decline}
            if session["status"] != "open":
                acts = {"arrive": self.api.arrive, "bounce": self.api.bounce}
            if pressed not in acts:
                lines = self.state.hidden(key)["lines"]
                shown = pages.pay(session, lines) if session["status"] == "open" else pages.closed(session)
                return _html(200, shown)
            session = acts[pressed](key)
        self.postman.ring()
        back = session["cancel_url"] if pressed == "decline" else ""
        return _redirect((back or session["success_url"]).replace("{CHECKOUT_SESSION_ID}", key))

    def _front_page(self, method: str, form: dict[str, list[str]]) -> Answer:
        """The latest payments, and what their buyers may do about them at their banks."""
        with self.state.transaction():
            if method == "POST":
                acts: dict[str, Callable[[str], Body]] = {
                    "dispute": self.chargebacks.open,
                    "win": self.chargebacks.win,
                    "lose": self.chargebacks.lose,
                }
                act = acts.get((form.get("action") or [""])[0])
                if act is not None:
                    act((form.get("about") or [""])[0])
                self.postman.ring()
                return _redirect("/")
            charges, _ = self.state.find("charge", where={}, limit=LATEST)
            disputes, _ = self.state.find("dispute", where={"charge": [one["id"] for one in charges]}, limit=LATEST)
        return _html(200, pages.front(charges, {one["charge"]: one for one in disputes}))

    def _onboard_page(self, method: str, key: str) -> Answer:
        with self.state.transaction():
            link = self.api.onboarding(key)
            account = self.api.read_account(link["account"])
            if method == "GET":
                return _html(200, pages.onboard(account, key))
            self.api.finish_onboarding(account["id"])
        self.postman.ring()
        return _redirect(link["return_url"])


class _Server(HTTPServer):
    """Answers in at most THREADS threads; who comes beyond them waits in the listen queue."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="sandbox-http")

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a killed sandbox comes back where it was
        socket.socket.bind(self.socket, self.server_address)  # without HTTPServer's look-up of our own name
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        self._pool.submit(self._work, request, client_address)

    def _work(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            log.debug("A client went away.")
        finally:
            self.shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        self._pool.shutdown(wait=True)


def _handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - a class bound to its sandbox
    class Handler(BaseHTTPRequestHandler):
        server_version = "ClearsongSandbox"
        sys_version = ""
        timeout = 10

        def do_GET(self) -> None:
            self._answer("")

        def do_HEAD(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not (length.isascii() and length.isdigit()) or int(length) > MOST_BODY_BYTES:
                self._send(_json(413, ApiError("The body is too large.").body()))
                return
            raw = self.rfile.read(int(length))
            try:
                self._answer(raw.decode("utf-8"))
            except UnicodeDecodeError:
                self._send(_json(400, ApiError("The body is not UTF-8.").body()))

        def _answer(self, body: str) -> None:
            path = urlsplit(self.path).path
            if path.startswith("/v1/"):
                self._send(sandbox.answer_call(self.command, self.path, body, self.headers))
            else:
                method = "POST" if self.command == "POST" else "GET"
                self._send(sandbox.answer_page(method, path, parse_qs(body, max_num_fields=20)))

        def _send(self, answer: Answer | None) -> None:
            if answer is NEVER:
                select.select([self.connection], [], [], MOST_PATIENCE)  # readable: the client hung up
            if answer is None or answer is NEVER:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
            log.info("%s %s", self.address_string(), format % args)

    return Handler


def _json(status: int, body: Body, *, replayed: bool = False) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Request-Id": f"req_{hashlib.sha256(str(id(body)).encode()).hexdigest()[:14]}",
    }
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Answer(status, json.dumps(body).encode(), headers)


def _html(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), pages.HEADERS)


def _redirect(url: str) -> Answer:
    return Answer(303, b"", {"Location": url, "Cache-Control": "no-store"})
