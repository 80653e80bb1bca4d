"""Run the sandbox: `python -m payments.sandbox`.

SANDBOX_PORT, SANDBOX_SECRET_KEY and SANDBOX_WEBHOOK_SECRET are needed. SANDBOX_PUBLIC_URL is where a browser finds the
hosted pages (this machine by default). Webhooks go to what `run/web.json` under CLEARSONG_HOME says at that moment, or
to SANDBOX_WEBHOOK_URL. SANDBOX_HOST is the address to listen on (127.0.0.1).
"""

import json
import logging
import os
import signal
import sys
from pathlib import Path

from payments.sandbox.server import Sandbox
from payments.sandbox.state import State
from payments.sandbox.webhooks import poster


def main() -> None:
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "WARNING"), format="%(asctime)s sandbox %(message)s")
    home = Path(os.environ.get("CLEARSONG_HOME") or "var").resolve()
    sandbox = Sandbox(
        secret_key=_needed("SANDBOX_SECRET_KEY"),
        webhook_secret=_needed("SANDBOX_WEBHOOK_SECRET"),
        send=poster(lambda: webhook_url(home)),
        state=State(home / "sandbox" / "stripe.sqlite3"),
        host=os.environ.get("SANDBOX_HOST", "127.0.0.1"),
        port=int(_needed("SANDBOX_PORT")),
        public_url=os.environ.get("SANDBOX_PUBLIC_URL", ""),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sandbox.serve()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.stop()


def webhook_url(home: Path) -> str:
    """Where the shop answers now; read at each delivery, because its port changes from run to run."""
    try:
        return str(json.loads((home / "run" / "web.json").read_text(encoding="utf-8"))["webhook_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return os.environ.get("SANDBOX_WEBHOOK_URL", "")


def _needed(name: str) -> str:
    path = os.environ.get(f"{name}_FILE")
    value = Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(name, "")
    if not value:
        sys.exit(f"Set {name}, or {name}_FILE to a file that holds it.")
    return value


if __name__ == "__main__":
    main()
