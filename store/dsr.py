"""A statement's sales as a DDEX sales report, for the systems of labels and societies.

The flat file of the Digital Sales Reporting standard, Basic Audio Profile, in blocks: HEAD, a summary (SY) for each
territory and use, then for each release and recording a block of its release (RE), its recording (AS) and what was sold
of it (SU), and FOOT with true counts. Records are lines, cells are apart by tabs, values inside a cell by strokes. FOOT
counts every line of the file. https://dsr.ddex.net
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from payments.models import Statement
from payments.statements import main_units
from store.statement_sheets import Told

VERSION = "dsrf/1.1/1.4.1/1.3"
PROFILE, PROFILE_VERSION = "BasicAudioProfile", "1.3"
SERVICE = "Downloads"
MODEL, USE = "PayAsYouGoModel", {"PERMANENT_DOWNLOAD": "PermanentDownload", "FREE_DOWNLOAD": "PermanentDownload"}
RIGHTS = {"RECORDING": "MakeAvailableRight", "WORK": "MechanicalRight"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parties:
    """Who sends the report and who gets it: DDEX party ids where they have one, and names."""

    sender: str
    sender_id: str
    recipient: str
    recipient_id: str = ""


def file_name(statement: Statement, parties: Parties) -> str:
    """`DSR_<recipient>_<sender>_<service>_<period>_<territory>_<x>of<y>_<time>.tsv`, as the standard names it."""
    period = f"{statement.since:%Y-%m-%d}--{_last_day(statement):%Y-%m-%d}"
    territories = {row["territory"] for row in Told(statement).rows()}
    territory = territories.pop() if len(territories) == 1 else "Multi"
    recipient = part(parties.recipient_id or parties.recipient)
    sender = part(parties.sender_id or parties.sender)
    made = f"{statement.issued_at.astimezone(UTC):%Y%m%dT%H%M%S}"
    return f"DSR_{recipient}_{sender}_{SERVICE}_{period}_{territory}_1of1_{made}.tsv"


def report(statement: Statement, parties: Parties) -> str:
    """The whole file. Its summaries are the sums of its sales lines; its usages and revenue are the statement's."""
    rows = Told(statement).rows()
    summaries = _summaries(rows)
    keys = {key: f"S{number}" for number, key in enumerate(summaries, start=1)}
    lines = [_head(statement, parties)]
    lines += [_summary(keys[key], key, sums, statement.currency) for key, sums in summaries.items()]
    blocks = _blocks(rows)
    for number, block in enumerate(blocks.values(), start=1):
        lines += _block(number, block, keys, statement.number)
    count = str(len(lines) + 1)
    lines.append(["FOOT", count, count, str(len(summaries)), str(len(blocks)), str(len(blocks))])
    return "".join("\t".join(line) + "\n" for line in lines)


def part(text: str) -> str:
    """Text as a part of a file's name: no blanks, no underscores, nothing a file system minds."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:60]


def cell(text: str) -> str:
    """Text as one cell: on one line, and with what would part cells or values escaped."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def _last_day(statement: Statement) -> datetime:
    return statement.until - timedelta(microseconds=1)


def _head(statement: Statement, parties: Parties) -> list[str]:
    return [
        "HEAD", VERSION, PROFILE, PROFILE_VERSION, statement.number,
        f"{statement.issued_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "1", "1",
        f"{statement.since:%Y-%m-%d}", f"{_last_day(statement):%Y-%m-%d}", parties.sender_id, cell(parties.sender),
        SERVICE, parties.recipient_id, cell(parties.recipient), "",
    ]  # fmt: skip


Key = tuple[str, str, str]  # territory, use, layer


def _summaries(rows: Sequence[Row]) -> dict[Key, dict[str, int]]:
    sums: dict[Key, dict[str, int]] = {}
    for row in sorted(rows, key=lambda one: (one["territory"], one["use"], one["layer"])):
        kept = sums.setdefault((row["territory"], row["use"], row["layer"]), {"units": 0, "net": 0, "mine": 0})
        kept["units"] += row["units"] - row["returns"]
        kept["net"] += row["gross_micros"] - row["tax_micros"]
        kept["mine"] += row["amount_micros"]
    return sums


def _summary(name: str, key: Key, sums: Mapping[str, int], currency: str) -> list[str]:
    """SY02.02: what buyers in a territory paid without tax, and what of it goes to the report's reader."""
    territory, use, layer = key
    return [
        "SY02.02", name, "", "", MODEL, USE.get(use, use), territory, SERVICE, str(sums["units"]), "", currency,
        main_units(sums["net"]), "", "", str(sums["units"]), main_units(sums["mine"]), main_units(sums["mine"]),
        RIGHTS.get(layer, layer), "Music", currency, "1.00", "",
    ]  # fmt: skip


def _blocks(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Lines of one recording on one release, in the order they are told."""
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["release_id"], row["isrc"], row["title"]].append(row)
    return found


def _block(number: int, rows: Sequence[Row], keys: Mapping[Key, str], statement: str) -> list[list[str]]:
    first, block = rows[0], str(number)
    lines = []
    if first["release_id"]:
        lines.append([
            "RE01.02", block, "R1", first["release_id"], "", "", first["gtin"], cell(first["artist"]), "",
            cell(first["release"]), "", "", "", "", "", "",
        ])  # fmt: skip
    iswc = "|".join(first["iswc"].split())
    lines.append([
        "AS02.03", block, "A1", first["isrc"] or f"{statement}-{block}", first["isrc"], cell(first["title"]), "",
        cell(first["artist"]), "", "", "SoundRecording", iswc, *[""] * 10,
    ])  # fmt: skip
    for place, row in enumerate(rows, start=1):
        units = row["units"] - row["returns"]
        net = row["gross_micros"] - row["tax_micros"]
        price = main_units(net // units) if units > 0 else ""
        lines.append([
            "SU01.02", block, keys[row["territory"], row["use"], row["layer"]], f"{statement}-{block}-{place}", "",
            "A1", "TRUE", "FALSE", str(row["units"]), str(row["returns"]), price, "", USE.get(row["use"], row["use"]),
        ])  # fmt: skip
    return lines
