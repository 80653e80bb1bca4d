"""Whether one part of the store works, for whoever watches it: `python -m store.health web|worker|beat`.

Ends with status 0 and says nothing when all is well; else says what is wrong and ends with 1.
"""

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

BEAT_SECONDS = 600  # beat writes its schedule down every three minutes


def web() -> str:
    """The web answers on its own machine, and reaches the database and the queue."""
    address = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz"
    try:
        with urllib.request.urlopen(address, timeout=8):
            return ""
    except urllib.error.HTTPError as error:
        return f"{address} answers {error.code}: {error.read().decode(errors='replace')}"
    except OSError as error:
        return f"{address} does not answer: {error}"


def worker() -> str:
    """The worker of this machine takes orders; one that is deaf does not."""
    from store.celery import app

    name = f"celery@{socket.gethostname()}"
    return "" if app.control.ping([name], timeout=8) else f"{name} does not answer"


def beat() -> str:
    """Beat has written down its schedule lately."""
    import django
    from django.conf import settings

    django.setup()
    folder, _, name = settings.CELERY_BEAT_SCHEDULE_FILENAME.rpartition("/")
    ages = [time.time() - found.stat().st_mtime for found in os.scandir(folder) if found.name.startswith(name)]
    return "" if ages and min(ages) < BEAT_SECONDS else f"beat has not written {name} for {BEAT_SECONDS} seconds"


PARTS: dict[str, Callable[[], str]] = {"web": web, "worker": worker, "beat": beat}


def main(words: list[str]) -> int:
    if len(words) != 1 or words[0] not in PARTS:
        sys.stderr.write(f"name one of: {', '.join(PARTS)}\n")
        return 2
    wrong = PARTS[words[0]]()
    if wrong:
        sys.stderr.write(f"{wrong}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
