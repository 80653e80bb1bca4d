"""All that speaks to VIES, the Commission's look-up of VAT numbers; nothing else does.

An answer is a plain yes or no. Whatever else comes back (no line, an error of the member state, a form we do not know)
is no answer: it never counts as yes. https://ec.europa.eu/taxation_customs/vies/#/technical-information
"""

from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings
from django.db import transaction

from store.errors import StoreError

TIMEOUT_SECONDS = 8  # a buyer waits for it
MOST_BYTES = 64 * 1024


class Unanswered(StoreError):
    """VIES did not say yes or no; the message says why."""

    code = "VIES_UNANSWERED"
    status = 503


@dataclass(frozen=True, slots=True)
class Answer:
    """What VIES said of a number. `consultation` is given where the asker named a number of its own."""

    valid: bool
    consultation: str
    name: str
    address: str
    text: str


def ask(vat_id: str, *, requester: str) -> Answer:
    """Ask about a number with its prefix, such as DE136695976, in the name of `requester`'s number (may be empty).

    No transaction may be open. Raises Unanswered.
    """
    body = {"countryCode": vat_id[:2], "vatNumber": vat_id[2:]}
    if requester:
        body |= {"requesterMemberStateCode": requester[:2], "requesterNumber": requester[2:]}
    with transaction.atomic(durable=True):  # Django refuses it inside another: no lock is held while we wait
        pass
    try:
        response = requests.post(
            f"{settings.VIES_URL}/check-vat-number", json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        said = response.json()
    except (requests.RequestException, ValueError) as error:
        raise Unanswered(f"VIES could not be asked: {type(error).__name__}.") from error
    return _read(said, vat_id, response.text[:MOST_BYTES])


def _read(said: Any, vat_id: str, text: str) -> Answer:
    if not isinstance(said, dict):
        raise Unanswered("VIES answered in a form we do not know.")
    wrong = _errors(said)
    if wrong - {"VALID", "INVALID", "INVALID_INPUT"}:
        raise Unanswered(f"VIES answered {', '.join(sorted(wrong))}.")
    if "INVALID_INPUT" in wrong:
        return Answer(valid=False, consultation="", name="", address="", text=text)
    about = f"{said.get('countryCode', '')}{said.get('vatNumber', '')}"
    if type(said.get("valid")) is not bool or about != vat_id:
        raise Unanswered("VIES answered in a form we do not know.")
    return Answer(
        valid=said["valid"],
        consultation=_text(said, "requestIdentifier")[:60],
        name=_text(said, "name")[:500],
        address=_text(said, "address")[:2000],
        text=text,
    )


def _errors(said: dict[str, Any]) -> set[str]:
    wrapped = said.get("errorWrappers")
    found = {str(one.get("error")) for one in wrapped if isinstance(one, dict)} if isinstance(wrapped, list) else set()
    if said.get("actionSucceed") is False and not found:
        found.add("an error without a name")
    if said.get("userError"):
        found.add(str(said["userError"]))
    return found


def _text(said: dict[str, Any], name: str) -> str:
    """Member states that tell nothing write three dashes."""
    value = said.get(name)
    return value.strip() if isinstance(value, str) and value.strip(" -") else ""
