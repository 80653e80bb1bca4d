"""Delivers signed webhooks, at least once and in no promised order, and tries again where they were not taken."""

import hashlib
import hmac
import json
import logging
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from payments.sandbox.state import State

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 40  # tries, about three days
LONGEST_WAIT = 2 * 3600
LATE_SECONDS = 10
MISCHIEF = "webhooks"  # the path under which `late`, `doubled` and `shuffled` are asked for; they stay until called off
Send = Callable[[bytes, str], int]


def sign(body: bytes, *, secret: str, at: int) -> str:
    """The `Stripe-Signature` header of a webhook."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


class Postman:
    """Takes what is due to where it belongs. `send` is given the body and its signature, and answers with a status."""

    def __init__(self, state: State, *, secret: str, send: Send) -> None:
        self._state = state
        self._secret = secret
        self._send = send
        self._stop = threading.Event()
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)

    def ring(self) -> None:
        """Something new may be due."""
        self._bell.set()

    def _run(self) -> None:
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="sandbox-webhook") as pool:
            while not self._stop.is_set():
                due = self.due()
                list(pool.map(lambda one: self.deliver(*one), due))
                if not due:
                    self._bell.wait(timeout=1)
                    self._bell.clear()

    def due(self) -> list[tuple[str, int]]:
        """What goes out now, with the mischief that was asked for: late, doubled, in any order."""
        at = self._state.now()
        mischief = self._state.faults(MISCHIEF)
        due = self._state.due(at=at)
        if "late" in mischief:
            late = [event for event, attempts in due if not attempts]
            for event in late:
                self._state.postponed(event, until=at + LATE_SECONDS, give_up=False)
            due = [one for one in due if one[0] not in late]
        if "doubled" in mischief:
            due = due * 2
        if "shuffled" in mischief:
            random.SystemRandom().shuffle(due)
        return due

    def deliver(self, event_id: str, attempts: int) -> bool:
        body = json.dumps(self._state.get("event", event_id)).encode()
        status = self._send(body, sign(body, secret=self._secret, at=int(time.time())))
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            self._state.delivered(event_id)
            return True
        wait = min(LONGEST_WAIT, 2 ** min(attempts, 20))
        self._state.postponed(event_id, until=self._state.now() + wait, give_up=attempts + 1 >= GIVE_UP_AFTER)
        log.info("Webhook %s was not taken (%s); the next try is in %s s.", event_id, status or "no answer", wait)
        return False


def poster(address: Callable[[], str]) -> Send:
    """Posts to wherever `address` says at that moment; nought stands for no answer."""

    def send(body: bytes, signature: str) -> int:
        url = address()
        if not url.startswith(("http://", "https://")):
            return 0
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
        request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - http and https alone, see above
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    return send
