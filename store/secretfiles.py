"""The secrets that docker-compose.yml reads, one file each: `python -m store.secretfiles FOLDER` (or `make secrets`).

What the machine can make up it makes up, once. What only the operator knows is left empty, and named.
"""

import base64
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

MADE_UP: dict[str, Callable[[], str]] = {
    "secret_key": lambda: secrets.token_urlsafe(64),
    "database_password": lambda: secrets.token_urlsafe(32),
    "s3_access_key": lambda: f"GK{secrets.token_hex(12)}",  # the forms that Garage takes
    "s3_secret_key": lambda: secrets.token_hex(32),
    "storage_rpc_secret": lambda: secrets.token_hex(32),
    "metrics_token": lambda: secrets.token_urlsafe(32),  # what your Prometheus shows
    "certificate_key": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),  # signs; keep a copy elsewhere
}
FROM_OPERATOR = {
    "stripe_secret_key": "Stripe's dashboard, Developers, API keys",
    "stripe_webhook_secrets": "Stripe's dashboard, Developers, Webhooks: the signing secret of SITE_URL/stripe/webhook",
    "email_password": "your mail server",
}


def write(path: Path, value: str) -> None:
    """Containers run as users of their own, so a file is readable to all; the folder lets nobody else in."""
    if not path.exists():
        path.write_text(value, encoding="utf-8")
        path.chmod(0o444 if value else 0o644)


def make(folder: Path, bucket: str = "audio") -> list[str]:
    """Make every file that is not there yet; returns the names that the operator has still to fill in."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, make_up in MADE_UP.items():
        write(folder / name, make_up())
    for name in FROM_OPERATOR:
        write(folder / name, "")
    kept = {name: (folder / name).read_text(encoding="utf-8").strip() for name in MADE_UP}
    write(
        folder / "storage.env",
        f"GARAGE_RPC_SECRET={kept['storage_rpc_secret']}\n"
        f"GARAGE_DEFAULT_ACCESS_KEY={kept['s3_access_key']}\n"
        f"GARAGE_DEFAULT_SECRET_KEY={kept['s3_secret_key']}\n"
        f"GARAGE_DEFAULT_BUCKET={bucket}\n",
    )
    return [name for name in FROM_OPERATOR if not (folder / name).read_text(encoding="utf-8").strip()]


def main(folder: Path) -> None:
    for name in make(folder):
        sys.stdout.write(f"Fill in {folder / name} from {FROM_OPERATOR[name]}.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
