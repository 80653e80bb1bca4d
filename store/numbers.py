"""Numbers of orders and purchases, as people read them out."""

import secrets
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_number(prefix: str, at: datetime) -> str:
    """A number that tells nobody how much is sold: the month and 40 random bits."""
    return f"{prefix}{at:%y%m}-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
