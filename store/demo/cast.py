"""Who takes part in the demo, with sign-ins that stay the same for one store."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from catalog.models import Party
from store import access
from store.models import Membership, User

ROLES = ("shopper", "label", "reviewer", "admin")


@dataclass(frozen=True)
class Person:
    """One sign-in: the role, the account, and the password to print."""

    role: str
    user: User
    password: str


def people() -> dict[str, Person]:
    """The four accounts, made on first use; their passwords are kept in the store's home, readable by its owner."""
    passwords = _passwords(settings.HOME / "secrets" / "demo-passwords.json")
    return {role: Person(role, _account(role, passwords[role]), passwords[role]) for role in ROLES}


def give_label(person: Person, label: Party) -> None:
    access.join(person.user, label, role=Membership.Role.OWNER)


def _passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = {role: f"{role}-{secrets.token_hex(4)}" for role in ROLES}
        path.touch(mode=0o600)
        path.write_text(json.dumps(made), encoding="utf-8")
    return dict(json.loads(path.read_text(encoding="utf-8")))


@transaction.atomic
def _account(role: str, password: str) -> User:
    email = f"{role}@demo.example"
    user = User.objects.filter(email=email).first()
    if user is None:
        flags = {"is_staff": True, "is_superuser": True} if role == "admin" else {}
        user = User.objects.create_user(email, password, is_reviewer=role == "reviewer", **flags)
    return user
