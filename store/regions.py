"""Which part of the world a country lies in, for people who look for it in a list of 249. Pure.

Read from the first time zone that `zone.tab` of the tzdata package names for the country.
"""

from functools import cache
from importlib.resources import files

_NAMES = {
    "Africa": "Africa",
    "America": "Americas",
    "Antarctica": "Antarctica",
    "Arctic": "Europe",
    "Asia": "Asia",
    "Atlantic": "Atlantic",
    "Australia": "Oceania",
    "Europe": "Europe",
    "Indian": "Indian Ocean",
    "Pacific": "Oceania",
}
_WITHOUT_ZONE = {"BV": "Antarctica", "HM": "Antarctica"}
_OTHERWISE = {"IS": "Europe"}  # its clock is called Atlantic/Reykjavik


@cache
def _table() -> dict[str, str]:
    found = dict(_WITHOUT_ZONE)
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            found.setdefault(code, _NAMES[zone.partition("/")[0]])
    return found | _OTHERWISE


def region_of(country: str) -> str:
    """The region of a current ISO 3166-1 code; KeyError for anything else."""
    return _table()[country]
