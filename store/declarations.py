"""A label grants the store the right to sell recordings that are here already, with the agreement as evidence.

It says the same as a delivery with a direct grant, and is recorded in the same way: one record per recording, and one
per work where the label says that the works are its performers' own. What it said before is not recorded twice.
"""

from collections.abc import Iterable

from django.db import transaction

from catalog.models import Party, Recording
from licensing.models import LicenceGrant
from store.delivered_rights import Declaration, Desk
from store.tagreading import FileTags

NO_TAGS = FileTags()


def declare(
    recordings: Iterable[Recording], *, label: Party, declaration: Declaration, actor: str
) -> list[LicenceGrant]:
    """Record the grant for all of `recordings` or for none; gives the records that were new. Raises LicensingError.

    The papers are kept first: they may go to a storage far away, and nothing of that belongs into a transaction.
    """
    desk = Desk(label, declaration, actor)
    news = [recording for recording in recordings if desk.is_news(recording)]
    if news:
        desk.keep_papers()
    made: list[LicenceGrant] = []
    with transaction.atomic():
        for recording in news:
            made += desk.hand_in(recording, NO_TAGS, file_sha256="", shown="")
    return made
