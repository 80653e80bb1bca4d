"""A file of SEPA credit transfers for a bank: ISO 20022 `pain.001.001.09`, as the European Payments Council reads it.

Pure: payments in, bytes out. Text is brought into the letters that every bank takes; the end-to-end id is the payout's
number, which comes back on the bank's statement. A BIC is optional, since 2016 the IBAN says which bank it is.
https://www.iso20022.org/catalogue-messages, https://www.europeanpaymentscouncil.eu
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
MOST_NAME, MOST_TEXT, MOST_ID = 70, 140, 35
LETTERS = {"Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "ß": "ss", "Œ": "OE", "œ": "oe", "Ł": "L", "ł": "l", "Þ": "Th",
           "þ": "th", "Ð": "D", "ð": "d", "&": "+", "\u2019": "'", "\u2013": "-", "\u2014": "-"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Party:
    """Whose account it is. The numbers never show in a log or a traceback."""

    name: str
    iban: str = field(repr=False)
    bic: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Payment:
    """One transfer: whole cents, to whom, and the words on the bank statement."""

    number: str
    minor: int
    to: Party
    words: str


def document(number: str, *, payer: Party, payments: Sequence[Payment], made_at: datetime, on: date) -> bytes:
    """The whole file: one order of all the payments for a day, in euros, with its count and control sum."""
    if not payments or any(payment.minor <= 0 for payment in payments):
        raise ValueError("A file for the bank holds payments, each above nought.")
    root = ET.Element("Document", xmlns=NAMESPACE)
    order = ET.SubElement(root, "CstmrCdtTrfInitn")
    count, total = str(len(payments)), amount(sum(payment.minor for payment in payments))
    head = _add(order, "GrpHdr")
    _add(head, "MsgId", identifier(number))
    _add(head, "CreDtTm", f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    _add(head, "NbOfTxs", count)
    _add(head, "CtrlSum", total)
    _add(_add(head, "InitgPty"), "Nm", plain(payer.name, MOST_NAME))
    batch = _add(order, "PmtInf")
    _add(batch, "PmtInfId", identifier(number))
    _add(batch, "PmtMtd", "TRF")
    _add(batch, "NbOfTxs", count)
    _add(batch, "CtrlSum", total)
    _add(_add(_add(batch, "PmtTpInf"), "SvcLvl"), "Cd", "SEPA")
    _add(_add(batch, "ReqdExctnDt"), "Dt", on.isoformat())
    _add(_add(batch, "Dbtr"), "Nm", plain(payer.name, MOST_NAME))
    _account(batch, "DbtrAcct", payer)
    agent = _add(_add(batch, "DbtrAgt"), "FinInstnId")
    if payer.bic:
        _add(agent, "BICFI", payer.bic)
    else:
        _add(_add(agent, "Othr"), "Id", "NOTPROVIDED")
    _add(batch, "ChrgBr", "SLEV")
    for payment in payments:
        _transfer(batch, payment)
    ET.indent(root)
    file: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return file


def _transfer(batch: ET.Element, payment: Payment) -> None:
    one = _add(batch, "CdtTrfTxInf")
    _add(_add(one, "PmtId"), "EndToEndId", identifier(payment.number))
    _add(_add(one, "Amt"), "InstdAmt", amount(payment.minor)).set("Ccy", "EUR")
    if payment.to.bic:
        _add(_add(_add(one, "CdtrAgt"), "FinInstnId"), "BICFI", payment.to.bic)
    _add(_add(one, "Cdtr"), "Nm", plain(payment.to.name, MOST_NAME))
    _account(one, "CdtrAcct", payment.to)
    _add(_add(one, "RmtInf"), "Ustrd", plain(payment.words, MOST_TEXT))


def amount(minor: int) -> str:
    """Cents as euros with two decimals."""
    return f"{minor // 100}.{minor % 100:02}"


def plain(text: str, most: int) -> str:
    """Text in the letters, digits and signs that every bank takes; what has no likeness becomes a full stop."""
    spelled = "".join(LETTERS.get(letter, letter) for letter in text)
    bare = "".join(one for one in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(one))
    kept = re.sub(r"[^A-Za-z0-9/\-?:().,'+ ]", ".", " ".join(bare.split()))
    kept = re.sub(r"/{2,}", "/", kept).strip("/ ")[:most].strip("/ ")
    return kept or "."


def identifier(text: str) -> str:
    """A number of ours as an id: no blanks, at most 35 letters."""
    return plain(text, MOST_ID).replace(" ", "-")


def _account(parent: ET.Element, tag: str, party: Party) -> None:
    _add(_add(_add(parent, tag), "Id"), "IBAN", party.iban)


def _add(parent: ET.Element, tag: str, text: str = "") -> ET.Element:
    child = ET.SubElement(parent, tag)
    if text:
        child.text = text
    return child
