"""What a notice is about, found from what somebody typed: an ISRC, or the address of a page of this shop."""

import re
from urllib.parse import urlsplit

from catalog.models import Party, Recording, Release

Subject = Recording | Release | Party
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_PAGE = re.compile(r"/(release|label)/([-\w]+)/?")


def find(text: str) -> Subject | None:
    """The recording, release or label meant; None where nothing here is called so."""
    code = re.sub(r"[\s-]", "", text).upper()
    if _ISRC.fullmatch(code):
        return Recording.objects.filter(isrc=code).first()
    try:
        page = _PAGE.fullmatch(urlsplit(text.strip()).path)
    except ValueError:  # not an address at all
        page = None
    if page is None:
        return None
    kind, slug = page.groups()
    return (Release if kind == "release" else Party).objects.filter(slug=slug).first()
