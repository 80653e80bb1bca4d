"""Presses the hosted pages' buttons as a browser without scripts would: for the demo, for tests, for a shell."""

import urllib.error
import urllib.parse
import urllib.request


def pay(session_url: str) -> str:
    """Pay; returns the address that Stripe's page would send the buyer to."""
    return _press(session_url, {"action": "pay"})


def pay_later(session_url: str) -> str:
    """Order the bank to pay; the money comes, or does not, when `arrive` or `bounce` is pressed."""
    return _press(session_url, {"action": "later"})


def arrive(session_url: str) -> str:
    return _press(session_url, {"action": "arrive"})


def bounce(session_url: str) -> str:
    return _press(session_url, {"action": "bounce"})


def decline(session_url: str) -> str:
    return _press(session_url, {"action": "decline"})


def onboard(link_url: str) -> str:
    """Go through a payee's onboarding; returns the address the payee comes back to."""
    return _press(link_url, {})


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


def _press(url: str, form: dict[str, str]) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no page of the sandbox.")
    opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())  # noqa: S310 - checked above
    try:
        with opener.open(request, timeout=20) as page:
            return str(page.url)  # nothing to press: already paid, or too late
    except urllib.error.HTTPError as answer:
        with answer:
            if answer.code != 303:  # noqa: PLR2004 - HTTP's See Other
                raise
            return str(answer.headers["Location"])
