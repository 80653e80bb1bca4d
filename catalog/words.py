"""Names and titles as they may enter the catalogue. Pure."""

import re
import unicodedata

# Marks that turn the reading direction; left open in a name they scramble the rest of the page.
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF])
_ARTICLE = re.compile(r"(the|a|an|der|die|das|le|la|les|el|los|las)\s+(\S.*)", re.IGNORECASE)
_FEATURED = re.compile(r"\s+[\[(]?(?:feat\.?|ft\.?|featuring)\s+", re.IGNORECASE)


def clean(text: str, *, limit: int = 500) -> str:
    """One line of visible text in composed form (NFC), at most `limit` characters.

    Control characters become blanks, lone surrogates (from file names that are not UTF-8) the replacement mark: neither
    can be stored, nor shown.
    """
    text = unicodedata.normalize("NFC", text.translate(_TURNS))
    text = "".join(_visible(character) for character in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return " " if category in {"Cc", "Zl", "Zp"} else character


def sort_name(name: str) -> str:
    """The name as it is filed: "The Aerials" under A. People keep their own order, which we cannot know."""
    found = _ARTICLE.fullmatch(name)
    return f"{found[2]}, {found[1]}" if found else name


def split_featured(artist: str) -> tuple[str, list[str]]:
    """The main artist and those featured: "Ana feat. Ben & Cy" is Ana, with Ben and Cy.

    A plain "&" or comma splits nothing before the "feat.": that may be a band's name.
    """
    main, *rest = _FEATURED.split(artist, maxsplit=1)
    if not rest or not main.strip():
        return artist.strip(), []
    guests = re.split(r"\s*(?:,|&|\sand\s)\s*", rest[0].strip().rstrip(")]"))
    return main.strip(), [guest for guest in guests if guest]
