"""Who takes part in the demo, with sign-ins that stay the same for one store."""

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction

from catalog.models import Party
from store import access
from store.models import Membership, User

ROLES = ("shopper", "label", "reviewer", "second", "admin")
REVIEWERS = ("reviewer", "second")
PERIOD_SECONDS = 30


@dataclass(frozen=True)
class Person:
    """One sign-in: the role, the account, and the password to print. Reviewers have a second factor besides."""

    role: str
    user: User
    password: str

    @property
    def code(self) -> str:
        """What her authenticator app shows now; empty where she has none."""
        return code_of(self.user)


def people() -> dict[str, Person]:
    """The accounts, made on first use; their passwords are kept in the store's home, readable by its owner."""
    passwords = _passwords(settings.HOME / "secrets" / "demo-passwords.json")
    return {role: Person(role, _account(role, passwords[role]), passwords[role]) for role in ROLES}


def account(role: str) -> User | None:
    """The account of a role, where the demo has run."""
    return User.objects.filter(email=_email(role)).first() if role in ROLES else None


def code_of(user: User) -> str:
    """The one-time code of this half minute; empty where the account has no authenticator app."""
    held = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if held is None:
        return ""
    return code_from(decrypt(held.data["secret"]))


def code_from(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD_SECONDS)))


def give_label(person: Person, label: Party) -> None:
    access.join(person.user, label, role=Membership.Role.OWNER)


def _passwords(path: Path) -> dict[str, str]:
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = {role: f"{role}-{secrets.token_hex(4)}" for role in ROLES if role not in kept}
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(json.dumps(kept | missing), encoding="utf-8")
    return dict(kept | missing)


def _email(role: str) -> str:
    return f"{role}@demo.example"


@transaction.atomic
def _account(role: str, password: str) -> User:
    user = User.objects.filter(email=_email(role)).first()
    if user is None:
        flags = {"is_staff": True, "is_superuser": True} if role == "admin" else {}
        user = User.objects.create_user(_email(role), password, is_reviewer=role in REVIEWERS, **flags)
    if role in REVIEWERS and not Authenticator.objects.filter(user=user).exists():
        TOTP.activate(user, generate_totp_secret())
    return user
