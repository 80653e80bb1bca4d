"""Every reason the engine gives: what it means, who can fix it, what to do. Pure; docs/clearance.md is made from it.

Codes are stable: other systems and years-old decisions name them. A code is never renamed or given another meaning.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from licensing import licences


class Scope(StrEnum):
    """What a reason is about. The order here is the order in which reasons are listed."""

    TRACK = "TRACK"
    LAYER = "LAYER"
    RECORD = "RECORD"
    RELEASE = "RELEASE"


class Fixer(StrEnum):
    """Who can make a reason go away."""

    LABEL = "LABEL"
    REVIEWER = "REVIEWER"
    RIGHTS_HOLDER = "RIGHTS_HOLDER"
    CLAIMANT = "CLAIMANT"
    STORE = "STORE"
    BUYER = "BUYER"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class ReasonText:
    """The words of one code. `blocks` is false for a warning or mere information."""

    code: str
    scope: Scope
    who: Fixer
    meaning: str
    remedy: str
    blocks: bool = True


_T, _L, _R = Scope.TRACK, Scope.LAYER, Scope.RECORD

_ALL = [
    ReasonText(
        "TAKEN_DOWN", _T, Fixer.CLAIMANT,
        "Somebody demanded that it be taken down, and the demand still holds.",
        "Answer with a counter-notice, or agree with the claimant; staff then lift the notice.",
    ),
    ReasonText(
        "LEGAL_HOLD", _T, Fixer.STORE,
        "It is frozen for a legal matter.",
        "Staff lift the hold when the matter is closed.",
    ),
    ReasonText(
        "TERRITORY_UNKNOWN", _T, Fixer.BUYER,
        "The country is not established, or is no current ISO 3166-1 code.",
        "State a country by its two-letter code; correct the record if the code stands there.",
    ),
    ReasonText(
        "EMBARGOED", _T, Fixer.TIME,
        "The release date has not come in this country.",
        "Wait for the date, or have the label correct it.",
    ),
    ReasonText(
        "ATTRIBUTION_INCOMPLETE", _T, Fixer.LABEL,
        "The licence asks for the author's name, and title or author is missing, or the file cannot carry it.",
        "Add the title and the main artist to the recording.",
    ),
    ReasonText(
        "NO_PRICE", _T, Fixer.LABEL,
        "There is no price for this use in a currency that the licence knows, or a priced deal is offered for nothing.",
        "Set a price in the currency of the agreement.",
    ),
    ReasonText(
        "PRICE_BELOW_MINIMUM", _T, Fixer.LABEL,
        "The price is under the minimum that the licence sets.",
        "Raise the price, or agree on a lower minimum.",
    ),
    ReasonText(
        "DERIVED_MATERIAL_UNCLEARED", _T, Fixer.LABEL,
        "It is marked as a cover, remix, arrangement or as holding samples, and nothing on file covers that material.",
        "Hand in the permission for the other music in it, or correct the mark.",
    ),
    ReasonText(
        "IDENTIFIER_SUSPECT", _T, Fixer.LABEL,
        "Its identifier belongs to another recording as well, or is mistyped. It stops the sale where another owner "
        "claims it, and is said beside the yes otherwise.",
        "Correct the ISRC, or show who owns the recording.",
    ),
    ReasonText(
        "NO_MASTER_LICENCE", _L, Fixer.LABEL,
        "No licence for the sound recording is on record.",
        "Hand in a licence: a statement in the file's tags, or a direct grant with the agreement.",
    ),
    ReasonText(
        "NO_WORK_LICENCE", _L, Fixer.LABEL,
        "No licence for the work (the composition and its words) is on record.",
        "Declare that the works are the performer's own, or hand in the licence of writer, publisher or society.",
    ),
    ReasonText(
        "DISPUTED", _L, Fixer.CLAIMANT,
        "A third party disputes who owns this right, and the case is open.",
        "Settle it with the claimant; staff close the dispute then.",
    ),
    ReasonText(
        "SHARES_NOT_100", _L, Fixer.LABEL,
        "The shares that are licensed do not make up the whole.",
        "Hand in the licences of the remaining holders, or correct the shares.",
    ),
    ReasonText(
        "SHARES_OVER_100", _L, Fixer.RIGHTS_HOLDER,
        "More than the whole is claimed.",
        "The holders correct their shares.",
    ),
    ReasonText(
        "CONFLICTING_CLAIM", _L, Fixer.RIGHTS_HOLDER,
        "Two parties claim the same right, at least one of them exclusively.",
        "The parties agree whose it is; the other record is ended.",
    ),
    ReasonText(
        "NOT_REVIEWED", _R, Fixer.REVIEWER,
        "The record has not been approved: nobody has decided yet, a second reviewer has still to, or one refused it.",
        "Wait for the review; after a refusal, hand in a new version that answers its reason.",
    ),
    ReasonText(
        "REVIEW_NOT_INDEPENDENT", _R, Fixer.REVIEWER,
        "The reviewer belongs to the label that handed the record in.",
        "Another reviewer decides on a new version of the record.",
    ),
    ReasonText(
        "EVIDENCE_MISSING", _R, Fixer.LABEL,
        "The record has no evidence, or not the kind that its basis demands.",
        "Hand in a new version with the agreement, the licence's page or the declaration.",
    ),
    ReasonText(
        "EVIDENCE_ALTERED", _R, Fixer.REVIEWER,
        "The evidence or the sound is no longer what the reviewer approved.",
        "Restore the evidence, or hand in a new version; a reviewer looks and listens again.",
    ),
    ReasonText(
        "TERRITORY_EXCLUDED", _R, Fixer.RIGHTS_HOLDER,
        "The record does not cover this country.",
        "The holder grants the country in a new version.",
    ),
    ReasonText(
        "NOT_YET_STARTED", _R, Fixer.TIME,
        "The licence has not begun in this country.",
        "Wait for the date, or have the holder grant an earlier one.",
    ),
    ReasonText(
        "TERM_EXPIRED", _R, Fixer.RIGHTS_HOLDER,
        "The licence has ended in this country.",
        "The holder grants a new term.",
    ),
    ReasonText(
        "REVOKED", _R, Fixer.RIGHTS_HOLDER,
        "The record was revoked.",
        "Only a new record can take its place.",
    ),
    ReasonText(
        "SUSPENDED", _R, Fixer.STORE,
        "The record is suspended.",
        "Staff resume it when the cause is gone.",
    ),
    ReasonText(
        "USE_NOT_GRANTED", _R, Fixer.RIGHTS_HOLDER,
        "The record does not grant this use.",
        "The holder grants it in a new version.",
    ),
    ReasonText(
        "PREVIEW_TOO_LONG", _R, Fixer.STORE,
        "The preview is longer than the record or the country allows.",
        "Make a shorter preview.",
    ),
    ReasonText(
        "NC_FORBIDS_SALE", _R, Fixer.RIGHTS_HOLDER,
        "The public licence is non-commercial, so that nobody may sell under it.",
        "Every holder of this layer grants the store a licence of its own beside it (CC+).",
    ),
    ReasonText(
        "NC_FREE_NEEDS_CONSENT", _R, Fixer.RIGHTS_HOLDER,
        "The public licence is non-commercial; a free download from a commercial shop needs the holder's word.",
        "The holder states its consent in a new version.",
    ),
    ReasonText(
        "ND_FORBIDS_EDIT", _R, Fixer.STORE,
        "The licence forbids altered versions, and the file is more than another format of the master.",
        "Offer it unaltered, or get permission for the edit.",
    ),
    ReasonText(
        "DRM_REQUIRED", _R, Fixer.RIGHTS_HOLDER,
        "The licence demands copy protection, which this store does not use.",
        "The holder drops the demand.",
    ),
    ReasonText(
        "LICENCE_UNKNOWN", _R, Fixer.LABEL,
        "What is stated is not a licence on the closed list, or not one under which copies may be sold.",
        "State the exact address of a licence, such as https://creativecommons.org/licenses/by/4.0/.",
    ),
    ReasonText(
        "LICENCE_VERSION_MISSING", _R, Fixer.LABEL,
        "The licence is named without its version.",
        "State the licence's exact address, which holds the version.",
    ),
    ReasonText(
        "CMO_MANDATE_UNPROVEN", _R, Fixer.RIGHTS_HOLDER,
        "A collecting society licenses it, and its mandate from the right holders is not proven.",
        "The society shows the mandate for this repertoire.",
    ),
    ReasonText(
        "CMO_STATUS_UNKNOWN", _R, Fixer.LABEL,
        "The work is under a public licence, and whether its writers are bound to a collecting society is not known, "
        "or one of them is, in this country.",
        "State for each writer whether a society holds the rights, and which are carved out.",
    ),
    ReasonText(
        "NOT_IN_REPERTOIRE", _R, Fixer.RIGHTS_HOLDER,
        "The work is not in the repertoire that the society licenses.",
        "The society confirms the work, or another licence is found.",
    ),
    ReasonText(
        "PASS_THROUGH_NOT_VALID_HERE", _R, Fixer.RIGHTS_HOLDER,
        "The label cannot license the work along with the recording in this country.",
        "Get the licence of the society or publisher for this country.",
    ),
    ReasonText(
        "STATUTORY_CONDITION", _R, Fixer.LABEL,
        "A condition of the statutory licence is not met, or there is no such licence in this country.",
        "Show that the conditions are met, or get a direct licence.",
    ),
    ReasonText(
        "RATE_UNVERIFIED", _R, Fixer.STORE,
        "The rate of the statute or of the society's tariff is missing for this country, use and day, or nobody has "
        "verified it.",
        "Staff record the rate and verify it against its source (manage.py rates).",
    ),
    ReasonText(
        "RELEASE_INCOMPLETE", Scope.RELEASE, Fixer.LABEL,
        "A track of the release is not cleared, so that it does not sell whole.",
        "Clear the tracks that are named; the cleared ones sell singly meanwhile.",
    ),
    ReasonText(
        "EXPIRES_SOON", _R, Fixer.RIGHTS_HOLDER,
        "A licence that the sale rests on ends soon.",
        "The holder grants a further term.",
        blocks=False,
    ),
]  # fmt: skip

REASONS: dict[str, ReasonText] = {reason.code: reason for reason in _ALL}

_WHO = {
    Fixer.LABEL: "the label",
    Fixer.REVIEWER: "a reviewer",
    Fixer.RIGHTS_HOLDER: "the rights holder",
    Fixer.CLAIMANT: "the claimant",
    Fixer.STORE: "the store",
    Fixer.BUYER: "the buyer",
    Fixer.TIME: "nobody; it passes by itself",
}


_KEY = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def who(fixer: str) -> str:
    """A fixer in words."""
    return _WHO[Fixer(fixer)]


def sentence(code: str, *, layer: str = "", detail: str = "") -> str:
    """One reason in plain words, without the keys of rows. Raises KeyError for a code that the engine never gives."""
    reason = REASONS[code]
    about = {"RECORDING": "Sound recording: ", "WORK": "Work: "}.get(layer, "")
    words = _KEY.sub("", detail).strip()
    seen = f" ({words})" if words else ""
    return f"{about}{reason.meaning.rstrip('.')}{seen}. {reason.remedy}"


def page() -> str:
    """docs/clearance.md, whole."""
    lines = [
        "# Why something is, or is not, for sale",
        "",
        "Clearsong sells a recording in a country only where a licence for the sound recording and one for every work",
        "in it are on record, reviewed, in force and whole. `manage.py clearance ISRC --territory DE --use",
        "PERMANENT_DOWNLOAD` asks the engine; the studio and the reviewers' pages show the same answer.",
        "",
        "`--world` gives the answer for all countries, grouped; `--at` asks for another day, `--price EUR=129` for a",
        "price; `--json` prints the whole of it.",
        "",
        "Every refusal has a stable code. This page is made from `licensing/reasons.py` and `licensing/licences.py`:",
        "run `manage.py clearance --reasons > docs/clearance.md` after a change there.",
        "",
    ]
    titles = {
        Scope.TRACK: "About the track",
        Scope.LAYER: "About a layer: the sound recording, or a work",
        Scope.RECORD: "About one licence record",
        Scope.RELEASE: "About a release",
    }
    for scope, title in titles.items():
        lines += [f"## {title}", "", "| Code | What it means | Who can fix it | What to do |", "|---|---|---|---|"]
        lines += [
            f"| `{reason.code}` | {reason.meaning}{'' if reason.blocks else ' Information only.'} "
            f"| {who(reason.who)} | {reason.remedy} |"
            for reason in sorted(REASONS.values(), key=lambda reason: reason.code)
            if reason.scope is scope
        ]
        lines.append("")
    return "\n".join([*lines, *_AFTERWORD, "", *_duties_table(), ""])


def _duties_table() -> list[str]:
    """What public licences ask, from the code that reads them."""
    sold = [licence for licence in licences.CLOSED_LIST if not licence.jurisdiction and not licence.held]
    rows = []
    for duty in licences.Duty:
        asking = [licence.name for licence in sold if duty in licence.duties]
        named = "every one but CC0" if len(asking) == sum(bool(licence.duties) for licence in sold) else ""
        rows.append(f"| `{duty}` | {licences.DUTY_WORDS[duty]} | {named or _families(asking)} |")
    return ["| Duty | What it asks | Asked by |", "|---|---|---|", *rows]


def _families(names: list[str]) -> str:
    """Licences as people list them: those of the same versions together."""
    versions: dict[str, list[str]] = {}
    for name in names:
        kind, _, version = name.rpartition(" ")
        versions.setdefault(kind, []).append(version)
    kinds: dict[str, list[str]] = {}
    for kind, of_kind in versions.items():
        span = of_kind[0] if len(of_kind) == 1 else f"{of_kind[0]} to {of_kind[-1]}"
        kinds.setdefault(span, []).append(kind.removeprefix("CC "))
    return "; ".join(f"{', '.join(each)} {span}" for span, each in kinds.items()) or "licences that are held"


_AFTERWORD = """\
## How an answer comes about

1. What concerns the whole track is asked first: notices, an identifier that another owner claims, the price, the
   release date.
2. Then every record by itself. It passes in a country, or fails there for reasons of its own.
3. A layer is clear where the records that pass make up exactly the whole, so that an ended record does no harm beside a
   current one. Several records of one holder are one claim, for all their countries together.
4. Disputes, and claims over more than the whole, stop a layer even where records pass.
5. Where a layer is not clear, the records that came nearest say why.

Days begin in each country when the first of its clocks shows them. A set of countries stays as it was given: “worldwide
except US” takes in a country that comes into being later. Whatever the engine does not know is a refusal.

## Rates

Where a record is paid by a tariff or a statute, a row of that tariff must say the rate for the country, the use and
the day, and somebody other than who recorded it must have compared it with its source. `manage.py rates list` shows
them, `manage.py rates verify 7 --by user:42` notes the comparison, `manage.py rates import file.csv --by user:7` brings
in new ones. A rate is never changed: the next one has a later first day, and from that day on the old one no longer
counts. The rates that come with the store are unverified; some are incomplete, and say so.

## Societies

A writer or publisher who gave the mechanical right to a society has none left to give. In the countries and at the time
of that mandate a public licence of the work has force only for the shares of the others, unless online sales are carved
out. A society's own licence covers its repertoire in its countries, where its mandate is proven.

## What public licences ask

The verdict says it as data; the release's page, the receipt, the LICENSE.txt in each archive and the files' tags use
it. All names but the Free Art License are of Creative Commons.
""".splitlines()
