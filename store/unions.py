"""Short names for several countries, written out on the day they are used. Pure.

No record keeps "EU": who is in it changes, and a grant covers the countries that were meant when it was given. Parts
of the world ("Europe") are not here, because two readers of a contract would not name the same countries.
"""

from datetime import date

_FOUNDING, _1973, _1981, _1986, _1995 = (date(year, 1, 1) for year in (1958, 1973, 1981, 1986, 1995))
_2004, _2007, _2013 = date(2004, 5, 1), date(2007, 1, 1), date(2013, 7, 1)

_EU: dict[str, tuple[date, date | None]] = (
    dict.fromkeys(("BE", "DE", "FR", "IT", "LU", "NL"), (_FOUNDING, None))
    | dict.fromkeys(("DK", "IE"), (_1973, None))
    | {"GR": (_1981, None), "ES": (_1986, None), "PT": (_1986, None)}
    | dict.fromkeys(("AT", "FI", "SE"), (_1995, None))
    | dict.fromkeys(("CY", "CZ", "EE", "HU", "LT", "LV", "MT", "PL", "SI", "SK"), (_2004, None))
    | dict.fromkeys(("BG", "RO"), (_2007, None))
    | {"HR": (_2013, None), "GB": (_1973, date(2020, 1, 31))}
)
_ALWAYS = {
    "EFTA": ("CH", "IS", "LI", "NO"),
    "BENELUX": ("BE", "LU", "NL"),
    "DACH": ("AT", "CH", "DE"),
    "NORDICS": ("DK", "FI", "IS", "NO", "SE"),
    "BALTICS": ("EE", "LT", "LV"),
    "UKI": ("GB", "IE"),
}
NAMES = ("EU", "EEA", *_ALWAYS)


def members(name: str, *, on: date) -> tuple[str, ...]:
    """The countries a short name stands for on a day, in alphabetical order; none for a name that is not ours."""
    wanted = name.upper()
    if wanted in {"EU", "EEA"}:
        inside = {code for code, (since, until) in _EU.items() if since <= on and (until is None or on <= until)}
        return tuple(sorted(inside | ({"IS", "LI", "NO"} if wanted == "EEA" else set())))
    return _ALWAYS.get(wanted, ())
