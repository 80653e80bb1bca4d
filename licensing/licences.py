"""Public licences: a closed list of addresses, what each allows, and how a statement in a tag is read. Pure.

Addresses are compared part by part, never by prefix; whatever is not on the list is not a licence here. Versions and
ported jurisdictions are those Creative Commons published (creativecommons.org, legal code 1.0-4.0 and ports).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from urllib.parse import urlsplit

LICENCE_UNKNOWN = "LICENCE_UNKNOWN"
LICENCE_VERSION_MISSING = "LICENCE_VERSION_MISSING"


class LicenceError(ValueError):
    """Not a licence of the closed list; `code` says whether it is unknown or only lacks its version."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Duty(StrEnum):
    """What a public licence asks of whoever passes a copy on."""

    NAME_AUTHOR = "NAME_AUTHOR"
    NAME_TITLE = "NAME_TITLE"
    NAME_SOURCE = "NAME_SOURCE"
    KEEP_NOTICES = "KEEP_NOTICES"
    LINK_LICENCE = "LINK_LICENCE"
    MARK_CHANGES = "MARK_CHANGES"
    SHARE_ALIKE = "SHARE_ALIKE"
    NO_ADAPTATIONS = "NO_ADAPTATIONS"
    NOT_COMMERCIAL = "NOT_COMMERCIAL"
    NO_FURTHER_TERMS = "NO_FURTHER_TERMS"
    REMOVE_NAME_ON_REQUEST = "REMOVE_NAME_ON_REQUEST"
    SAY_WHERE_ORIGINALS_ARE = "SAY_WHERE_ORIGINALS_ARE"
    OFFER_EDITABLE_FORM = "OFFER_EDITABLE_FORM"


DUTY_WORDS: dict[str, str] = {
    Duty.NAME_AUTHOR: "Name the author, as credited here.",
    Duty.NAME_TITLE: "Give the title.",
    Duty.NAME_SOURCE: "Give the address it came from, where the author named one.",
    Duty.KEEP_NOTICES: "Keep the notices of copyright, licence and disclaimed warranty.",
    Duty.LINK_LICENCE: "Pass on the licence's text or its address.",
    Duty.MARK_CHANGES: "Say so where you changed it.",
    Duty.SHARE_ALIKE: "License what you make of it under the same licence.",
    Duty.NO_ADAPTATIONS: "Pass on no altered version; another file format is none.",
    Duty.NOT_COMMERCIAL: "Do not use it commercially.",
    Duty.NO_FURTHER_TERMS: "Add no terms and no copy protection.",
    Duty.REMOVE_NAME_ON_REQUEST: "Take the author's name off if the author asks for it.",
    Duty.SAY_WHERE_ORIGINALS_ARE: "Say where the originals can be had.",
    Duty.OFFER_EDITABLE_FORM: "Offer the form in which it is best edited.",
}


def in_words(duties: Iterable[str]) -> list[str]:
    """What duties ask, a sentence each, in the order of the list; one that is not known here is said as it stands."""
    asked = list(duties)
    known = [DUTY_WORDS[duty] for duty in Duty if duty in asked]
    return known + [duty for duty in asked if duty not in DUTY_WORDS]


@dataclass(frozen=True, slots=True)
class Licence:
    """One public licence in one version and, where it was ported, one jurisdiction.

    `held` is empty, or says why the store does not sell under this licence without somebody looking at it.
    """

    code: str
    version: str
    jurisdiction: str
    name: str
    url: str
    held: str = ""

    @property
    def by(self) -> bool:
        """Whether each copy must name the author. The old codes without BY ask for less; naming never hurts there."""
        return "by" in _elements(self.code) or self.code == "lal"

    @property
    def nc(self) -> bool:
        return "nc" in _elements(self.code)

    @property
    def nd(self) -> bool:
        return "nd" in _elements(self.code)

    @property
    def parts(self) -> bool:
        """Whether a part of the material may be shared as it is: 4.0 says "in whole or in part", the texts of ND before
        it speak of the work alone."""
        return not self.nd or self.version >= "4.0"

    @property
    def sa(self) -> bool:
        return "sa" in _elements(self.code) or self.code == "lal" or self.code.endswith("gpl")

    @property
    def mark(self) -> bool:
        """The Public Domain Mark is a label that somebody put on, and gives no permission by itself."""
        return self.code == "mark"

    @property
    def no_drm(self) -> bool:
        """Whether the text forbids technical measures and further terms, so that the shop's own terms must yield."""
        return self.code not in {"zero", "mark"}

    @property
    def duties(self) -> tuple[str, ...]:
        """What the text of just this licence and version asks with each copy (`Duty`, in its order).

        Creative Commons: addresses are asked for since 2.0, titles up to 3.0; credit for the use in a changed version
        belongs to BY before 3.0, and to every licence that allows changes from then on.
        """
        return _duties(self)


@lru_cache(maxsize=256)
def _elements(code: str) -> frozenset[str]:
    return frozenset() if code in {"zero", "mark", "lal"} else frozenset(code.split("-"))


@lru_cache(maxsize=1024)
def _duties(licence: Licence) -> tuple[str, ...]:
    if licence.code in {"zero", "mark"}:
        return ()
    asked = {Duty.LINK_LICENCE, Duty.NO_FURTHER_TERMS}
    if licence.code == "lal":
        asked |= {Duty.NAME_AUTHOR, Duty.SAY_WHERE_ORIGINALS_ARE, Duty.MARK_CHANGES, Duty.SHARE_ALIKE}
    elif licence.code.endswith("gpl"):
        asked |= {Duty.KEEP_NOTICES, Duty.OFFER_EDITABLE_FORM, Duty.MARK_CHANGES, Duty.SHARE_ALIKE}
    else:
        asked |= {Duty.KEEP_NOTICES, Duty.REMOVE_NAME_ON_REQUEST} | _creative_commons_duties(licence)
    return tuple(duty.value for duty in Duty if duty in asked)


def _creative_commons_duties(licence: Licence) -> set[Duty]:
    asked = set()
    if licence.by:
        asked.add(Duty.NAME_AUTHOR)
        asked |= {Duty.NAME_TITLE} if licence.version < "4.0" else set()
        asked |= {Duty.NAME_SOURCE} if licence.version >= "2.0" else set()
    if not licence.nd and (licence.by or licence.version >= "3.0"):
        asked.add(Duty.MARK_CHANGES)
    marks = {Duty.SHARE_ALIKE: licence.sa, Duty.NO_ADAPTATIONS: licence.nd, Duty.NOT_COMMERCIAL: licence.nc}
    return asked | {duty for duty, marked in marks.items() if marked}


_PORTS = {
    "1.0": "fi il nl",
    "2.0": "at au be br ca cl de es fr hr it jp kr nl pl tw uk za",
    "2.1": "au ca es jp",
    "2.5": "ar au bg br ca ch cn co dk es hr hu il in it mk mt mx my nl pe pl pt scotland se si tw za",
    "3.0": "am at au az br ca ch cl cn cr cz de ec ee eg es fr ge gr gt hk hr ie igo it lu nl no nz ph pl pr pt ro rs "
    "sg th tw ug us ve vn za",
    "4.0": "",
}
_UNPORTED = frozenset({"1.0", "2.0", "2.5", "3.0", "4.0"})
_SIX = ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
_OLD = ("sa", "nd", "nc", "nc-sa", "nd-nc")  # 1.0, and 2.0 in Japan
_SAMPLING = {
    "sampling": "1.0",
    "sampling+": "1.0",
    "nc-sampling+": "1.0",
    "devnations": "2.0",
}
_HELD_SAMPLING = "it allows no sale of whole copies"
_HELD_GPL = "it asks for the form preferred for making changes; a person must look at what that is here"

_FREE_ART = Licence("lal", "1.3", "", "Free Art License 1.3", "https://artlibre.org/licence/lal/en/")
ZERO = Licence("zero", "1.0", "", "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/")
MARK = Licence("mark", "1.0", "", "Public Domain Mark 1.0", "https://creativecommons.org/publicdomain/mark/1.0/")


def _cc(code: str, version: str, jurisdiction: str = "", held: str = "") -> Licence:
    name = " ".join(["CC", code.upper(), version, *([jurisdiction.upper()] if jurisdiction else [])])
    tail = f"{jurisdiction}/" if jurisdiction else ""
    url = f"https://creativecommons.org/licenses/{code}/{version}/{tail}"
    return Licence(code, version, jurisdiction, name, url, held)


def _published() -> Iterable[Licence]:
    for version, ports in _PORTS.items():
        for code in _SIX:
            if version in _UNPORTED:
                yield _cc(code, version)
            yield from (_cc(code, version, port) for port in ports.split())
    for code in (*_OLD, "by-nd-nc"):
        yield _cc(code, "1.0")
        yield from (_cc(code, "1.0", port) for port in ("fi", "nl"))
        yield _cc(code, "2.0", "jp")
    for code, version in _SAMPLING.items():
        yield from (_cc(code, version, port, _HELD_SAMPLING) for port in ("", "br", "de", "tw"))


_BY_KEY = {(licence.code, licence.version, licence.jurisdiction): licence for licence in _published()}
CLOSED_LIST: tuple[Licence, ...] = (*_BY_KEY.values(), ZERO, MARK, _FREE_ART)

_LONGEST = 5000

_CC_HOSTS = frozenset({"creativecommons.org", "www.creativecommons.org"})
_ART_HOSTS = frozenset({"artlibre.org", "www.artlibre.org"})
_GNU_HOSTS = frozenset({"gnu.org", "www.gnu.org"})
_PAGE = re.compile(r"(deed|legalcode)(\.[a-z]{2,3}([_-][a-z]{2,4})?|\.txt)?", re.IGNORECASE)
_GNU_PAGE = re.compile(r"(a|l)?gpl(-([123]\.[01]))?(\.(en\.)?html|\.txt)?", re.IGNORECASE)


@lru_cache(maxsize=4096)
def parse(text: str) -> Licence:
    """The licence that `text` names: an address of the closed list, or a name with its version ("CC BY-SA 3.0").

    Raises LicenceError with `code` LICENCE_VERSION_MISSING where the licence is plain but the version is not, and
    LICENCE_UNKNOWN for everything else.
    """
    wanted = _plain(text)
    if "://" in wanted:
        return _parse_address(wanted)
    named = _name_in(wanted)
    if named is None or named.text != wanted:
        raise LicenceError(LICENCE_UNKNOWN, f"{text!r} is not on the list of licences. Give the licence's address.")
    return named.resolve()


def asked_at(address: str) -> list[str]:
    """What the licence at that address asks, in sentences; nothing where it is not on the list."""
    try:
        return in_words(parse(address).duties)
    except LicenceError:
        return []


def _plain(text: str) -> str:
    """The text with single blanks and bounded length: a hostile tag must not cost more than a glance."""
    return " ".join(text[:_LONGEST].split())


def _parse_address(address: str) -> Licence:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    path = [part for part in parts.path.lower().split("/") if part]
    if parts.scheme.lower() not in {"http", "https"} or port is not None or parts.username is not None:
        host = None
    if host in _CC_HOSTS:
        return _creative_commons(address, path)
    if host in _ART_HOSTS and path[:2] == ["licence", "lal"]:
        return _free_art(address, path[2:])
    if host in _GNU_HOSTS and path:
        return _gnu(address, path[-1])
    raise LicenceError(LICENCE_UNKNOWN, f"{address} is not the address of a licence on the list.")


def _creative_commons(address: str, path: list[str]) -> Licence:
    if path and _PAGE.fullmatch(path[-1]):
        path = path[:-1]
    if path == ["publicdomain", "zero", "1.0"]:
        return ZERO
    if path == ["publicdomain", "mark", "1.0"]:
        return MARK
    if path[:1] == ["licenses"] and len(path) in {2, 3, 4}:
        code, version, jurisdiction = (*path[1:], "", "")[:3]
        found = _BY_KEY.get((code, version, jurisdiction))
        if found:
            return found
        if not version and code in {*_SIX, *_OLD, *_SAMPLING, "by-nd-nc"}:
            raise LicenceError(LICENCE_VERSION_MISSING, f"{address} does not say which version of the licence.")
    raise LicenceError(LICENCE_UNKNOWN, f"{address} is not the address of a licence that Creative Commons published.")


def _free_art(address: str, path: list[str]) -> Licence:
    if path and not re.fullmatch(r"[a-z]{2}|licence-art-libre-1-?3", path[0]):
        raise LicenceError(LICENCE_UNKNOWN, f"{address} is not version 1.3 of the Free Art License.")
    return _FREE_ART


def _gnu(address: str, page: str) -> Licence:
    found = _GNU_PAGE.fullmatch(page)
    if not found:
        raise LicenceError(LICENCE_UNKNOWN, f"{address} is not the address of a licence on the list.")
    code, version = f"{found[1] or ''}gpl".lower(), found[3]
    if not version:
        raise LicenceError(LICENCE_VERSION_MISSING, f"{address} does not say which version of the licence.")
    url = f"https://www.gnu.org/licenses/{code}-{version}.html"
    return Licence(code, version, "", f"GNU {code.upper()} {version}", url, _HELD_GPL)


# -- Names in running text ---------------------------------------------------------------------------------------------

_ELEMENT_WORDS = {
    "by": r"attribution|by",
    "nc": r"non[\s-]?commercial|nc",
    "nd": r"no[\s-]?deriv(?:ative)?(?:\s?works|s)?|nd",
    "sa": r"share[\s-]?alike|sa",
}
_ELEMENT = "|".join(_ELEMENT_WORDS.values())
_VERSION = r"(?:\s*,?\s*(?:version\s*|v\.?\s*)?(?P<version>\d\.\d)(?!\d))?"
_SEPARATOR = r"(?:\s*[-\u2010\u2011\u2013\u2014_/]\s*|\s+)"
_CC_NAME = re.compile(
    rf"(?<![^\W_])(?:creative\s*commons|\(?cc\)?)(?:\s*[:(-]\s*|\s+)?(?:licen[cs]e\s*[:(]?\s*)?"
    rf"(?P<elements>(?:{_ELEMENT})(?:{_SEPARATOR}(?:{_ELEMENT}))*)\b"
    rf"(?:\s+licen[cs]e)?{_VERSION}"
    rf"(?:\s+(?P<where>unported|international|generic)\b)?",
    re.IGNORECASE,
)
_ZERO_NAME = re.compile(r"\bcc[\s-]?(?:0|zero)(?:[\s-]+(?P<version>1\.0)(?:\s+universal)?)?(?![\w.]*\d)", re.IGNORECASE)
_MARK_NAME = re.compile(r"\bpublic domain mark(?:\s+(?P<version>1\.0))?", re.IGNORECASE)
_ART_NAME = re.compile(
    r"\b(?:free art licen[cs]e|licence art libre|LAL)(?=\W|$)(?:\s*(?:v\.?\s*|version\s*)?(?P<version>\d\.\d))?",
    re.IGNORECASE,
)
_GPL_NAME = re.compile(r"\b(?:GNU\s+)?(?P<gpl>[AL]?GPL)(?:[\s-]*v?(?P<version>[123](?:\.[01])?))?(?![^\W_])")
_ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]{}|]+", re.IGNORECASE)
_BARE_ADDRESS = re.compile(
    r"(?<![/\w.@-])(?:www\.)?(?:creativecommons\.org/(?:licenses|publicdomain)|artlibre\.org/licence)/"
    r"[^\s<>\"'()\[\]{}|]+",
    re.IGNORECASE,
)
_LOOSE = re.compile(
    r"creative\s*commons|\bcc[\s-]licen[cs]e|royalty[\s-]*free|copyright[\s-]*free|no[\s-]+copyright|copyleft|"
    r"public[\s-]+domain|free\s+(?:to|for)\s+(?:use|download|commercial|personal|any)|licen[cs]ed\s+under|"
    r"free\s+music\s+licen[cs]e|free\s+licen[cs]e",
    re.IGNORECASE,
)
_RESERVED = re.compile(r"\ball\s+rights\s+reserved\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Named:
    """A licence name found in text: its code, and its version where one is said."""

    text: str
    code: str
    version: str

    def resolve(self) -> Licence:
        if not self.version:
            raise LicenceError(LICENCE_VERSION_MISSING, f"{self.text!r} does not say which version of the licence.")
        if self.code.endswith("gpl"):
            version = self.version if "." in self.version else f"{self.version}.0"
            return _gnu(self.text, f"{self.code}-{version}.html")
        special = {("zero", "1.0"): ZERO, ("mark", "1.0"): MARK, ("lal", "1.3"): _FREE_ART}
        found = special.get((self.code, self.version)) or _BY_KEY.get((self.code, self.version, ""))
        if found is None:
            raise LicenceError(LICENCE_UNKNOWN, f"{self.text!r} is not a licence that was ever published.")
        return found


def _names_in(text: str) -> Iterable[_Named]:
    for match in _CC_NAME.finditer(text):
        words = re.findall(rf"\b(?:{_ELEMENT})\b", match["elements"], re.IGNORECASE)
        elements = [_element(word) for word in words]
        yield _Named(match[0], _in_order(elements), match["version"] or "")
    for pattern, code in ((_ZERO_NAME, "zero"), (_MARK_NAME, "mark"), (_ART_NAME, "lal")):
        for match in pattern.finditer(text):
            # CC0 and the mark have had one version only, so that their names are whole without it.
            yield _Named(match[0], code, match["version"] or ("" if code == "lal" else "1.0"))
    for match in _GPL_NAME.finditer(text):
        yield _Named(match[0], match["gpl"].lower(), match["version"] or "")


def _element(word: str) -> str:
    return next(code for code, words in _ELEMENT_WORDS.items() if re.fullmatch(words, word, re.IGNORECASE))


def _name_in(text: str) -> _Named | None:
    return next(iter(_names_in(text)), None)


def _in_order(elements: list[str]) -> str:
    """The code as Creative Commons writes it, for elements in whatever order; as it stands where there is none such."""
    for code in (*_SIX, *_OLD):
        if sorted(code.split("-")) == sorted(elements):
            return code
    return "-".join(elements)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a file says about its licence: the tag, the raw text, and what it comes to.

    `licence` is None where `problem` is set; `problem` is a reason code, `detail` says what was seen.
    """

    key: str
    text: str
    licence: Licence | None
    problem: str = ""
    detail: str = ""

    @property
    def url(self) -> str:
        return self.licence.url if self.licence else ""


_LICENCE_KEYS = ("LICENSE", "LICENCE", "WCOP", "LICENSE_URL", "LICENSEURL", "CC:LICENSE")


def find_statement(pairs: Iterable[tuple[str, str]]) -> Statement | None:
    """The licence statement in tags given as (key, raw text), or None where there is none.

    A mere copyright notice, or "all rights reserved", is no statement. Statements that agree count once; two that name
    different licences resolve to nothing, because nobody can tell which one was meant.
    """
    statements = list(chain.from_iterable(_statements_in(key, text) for key, text in pairs))
    if not statements:
        return None
    resolved = [statement for statement in statements if statement.licence]
    different = {_sort(statement.licence) for statement in resolved if statement.licence}
    if len(different) > 1:
        named = sorted({statement.licence.name for statement in resolved if statement.licence})
        return _contradiction(statements, f"more than one licence is named: {', '.join(named)}")
    if resolved:
        vague = {_vague_code(statement) for statement in statements if not statement.licence} - {""}
        if vague - {code for code, _version in different}:
            first = next(statement for statement in statements if _vague_code(statement) in vague)
            return _contradiction(statements, f"{first.text!r} names another licence")
        return max(resolved, key=lambda statement: bool(statement.licence and statement.licence.jurisdiction))
    return min(statements, key=lambda statement: statement.problem != LICENCE_VERSION_MISSING)


def _contradiction(statements: list[Statement], detail: str) -> Statement:
    """Statements that cannot all be meant, kept together as they were written."""
    written = " | ".join(dict.fromkeys(statement.text for statement in statements))
    return Statement(statements[0].key, written, None, LICENCE_UNKNOWN, detail)


def _sort(licence: Licence) -> tuple[str, str]:
    return (licence.code, licence.version)


def _vague_code(statement: Statement) -> str:
    named = _name_in(_plain(statement.text)) if statement.problem == LICENCE_VERSION_MISSING else None
    return named.code if named else ""


def _statements_in(key: str, text: str) -> Iterable[Statement]:
    raw, plain = text.strip(), _plain(text)
    if not plain:
        return
    found = False
    rest = plain
    for written in (*_ADDRESS.findall(plain), *_BARE_ADDRESS.findall(plain)):
        rest = rest.replace(written, " ")
        address = written.rstrip(".,;:!?*")
        address = address if "://" in address else f"https://{address}"
        if _of_licence_house(address) or key.upper() in _LICENCE_KEYS:
            found = True
            yield _resolved(key, raw, address)
    for named in _names_in(rest):
        found = True
        yield _from_name(key, raw, named)
    if found or (_RESERVED.search(plain) and not _LOOSE.search(plain)):
        return
    if _LOOSE.search(rest) or key.upper() in _LICENCE_KEYS:
        yield Statement(key, raw, None, LICENCE_UNKNOWN, f"{plain[:200]!r} names no licence on the list")


def _of_licence_house(address: str) -> bool:
    """Whether an address in any tag is meant as a licence: under /licenses or /publicdomain of the known houses."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    path = parts.path.lower()
    if host in _CC_HOSTS:
        return path.startswith(("/licenses/", "/publicdomain/"))
    return (host in _ART_HOSTS and path.startswith("/licence/lal")) or (
        host in _GNU_HOSTS and path.startswith("/licenses/")
    )


def _resolved(key: str, raw: str, address: str) -> Statement:
    try:
        return Statement(key, raw, parse(address))
    except LicenceError as error:
        return Statement(key, raw, None, error.code, str(error))


def _from_name(key: str, raw: str, named: _Named) -> Statement:
    try:
        return Statement(key, raw, named.resolve())
    except LicenceError as error:
        return Statement(key, raw, None, error.code, str(error))
