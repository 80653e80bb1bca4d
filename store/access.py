"""Who may act for which label, who may review, who looks after the money.

Asked in views; what may not be seen does not exist (404).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from catalog.models import Party
from store.errors import NotAllowed, NotOwned, SecondFactorMissing
from store.models import Membership, User

Visitor = User | AnonymousUser


def label_ids(user: Visitor) -> list[int]:
    """The keys of the labels whose member this person is, in a fixed order."""
    if not isinstance(user, User):
        return []
    return list(user.memberships.order_by("label_id").values_list("label_id", flat=True))


def labels(user: Visitor) -> list[Party]:
    """The labels this person works for, by name."""
    return list(Party.objects.filter(pk__in=label_ids(user)).order_by("sort_name", "pk"))


def label_of(user: Visitor, slug: str) -> Party:
    """The label of that address, if this person works for it; otherwise it does not exist for them."""
    label = Party.objects.filter(slug=slug, pk__in=label_ids(user)).first()
    if label is None:
        raise NotOwned("There is no such label among yours.")
    return label


def may_review(user: Visitor) -> bool:
    return isinstance(user, User) and user.is_active and user.is_reviewer


def require_reviewer(user: Visitor) -> User:
    """The person as a reviewer. Which records she may decide is licensing's own rule: none of her own labels'."""
    if not isinstance(user, User) or not may_review(user):
        raise NotAllowed("Only reviewers may do this.")
    return user


def require_finance(user: Visitor) -> User:
    """The person as finance staff: she sees every order and may give money back."""
    if not isinstance(user, User) or not user.is_active or not user.is_finance:
        raise NotAllowed("Only finance staff may do this.")
    return user


class Factor(StrEnum):
    """How far a person has come with her second factor in this session."""

    PROVEN = "PROVEN"
    UNPROVEN = "UNPROVEN"
    MISSING = "MISSING"


def second_factor(request: HttpRequest) -> Factor:
    """Whether this session was opened with a second factor that the person still has.

    A session that came by another door (the staff's sign-in asks for a password only) is unproven until she shows it.
    """
    if not settings.REVIEW_SECOND_FACTOR:
        return Factor.PROVEN
    held = dict(Authenticator.objects.filter(user=request.user.pk).values_list("pk", "type"))
    if not set(held.values()) - {Authenticator.Type.RECOVERY_CODES}:  # codes on paper only stand in for a factor
        return Factor.MISSING
    shown = get_authentication_records(request, request.user)
    proven = any(one.get("method") == "mfa" and one.get("id") in held for one in shown)
    return Factor.PROVEN if proven else Factor.UNPROVEN


def require_second_factor(request: HttpRequest) -> None:
    """Raises SecondFactorMissing, with the page that helps; asked by a reviewer's acts and by finance's pages."""
    factor = second_factor(request)
    if factor is Factor.MISSING:
        message = "This takes a second factor. Set up an authenticator app or a security key first."
        raise SecondFactorMissing(message, page="mfa_index")
    if factor is Factor.UNPROVEN:
        message = "Show your second factor first: you signed in to this session without it."
        raise SecondFactorMissing(message, page="mfa_reauthenticate")


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person has shown password or factor again just now (ACCOUNT_REAUTHENTICATION_TIMEOUT)."""
    return bool(did_recently_reauthenticate(request))


def way_to_freshness(request: HttpRequest) -> str:
    """The name of the page where she shows it: the password's where she has one."""
    assert isinstance(request.user, User)  # noqa: S101 - asked of people who are signed in
    return "account_reauthenticate" if request.user.has_usable_password() else "mfa_reauthenticate"


def remember_enrolment(request: HttpRequest, user: User, authenticator: Authenticator, **_signal: Any) -> None:
    """Whoever sets up her first factor has just shown it; a handler of allauth's `authenticator_added`."""
    others = Authenticator.objects.filter(user=user).exclude(pk=authenticator.pk)
    if not others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


def join(user: User, label: Party, *, role: str = Membership.Role.MEMBER) -> Membership:
    """Let a person act for a label; joining twice changes nothing but the role."""
    membership, _ = Membership.objects.update_or_create(user=user, label=label, defaults={"role": role})
    return membership


def members(label_keys: Iterable[int]) -> dict[int, list[User]]:
    """The people of each label."""
    found: dict[int, list[User]] = {}
    for membership in Membership.objects.filter(label_id__in=label_keys).select_related("user").order_by("user__email"):
        found.setdefault(membership.label_id, []).append(membership.user)
    return found
