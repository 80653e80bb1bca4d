"""Those who are paid, and their accounts at Stripe. Stripe asks them who they are; we never see a bank number."""

from payments import gateway
from payments.errors import PayeeNotReady
from payments.models import Payee


def ensure_account(payee: Payee) -> Payee:
    """Give the payee an account at Stripe if it has none, and keep its id; run again, it is the same account.

    Raises StripeFailed.
    """
    if payee.stripe_account_id:
        return payee
    facts = gateway.create_account(
        name=payee.name,
        email=payee.email,
        country=payee.country,
        reference=str(payee.public_id),
        idempotency_key=f"payee:{payee.public_id}",
    )
    Payee.objects.filter(pk=payee.pk, stripe_account_id="").update(
        stripe_account_id=facts.stripe_id, state=Payee.State.ONBOARDING
    )
    payee.refresh_from_db()
    return refresh_payee(payee)


def refresh_payee(payee: Payee) -> Payee:
    """Ask Stripe whether the payee can be paid now, and keep the answer."""
    if not payee.stripe_account_id:
        return payee
    facts = gateway.read_account(payee.stripe_account_id)
    state = Payee.State.READY if facts.can_receive else Payee.State.ONBOARDING
    Payee.objects.filter(pk=payee.pk).update(state=state)
    payee.refresh_from_db()
    return payee


def onboarding_link(payee: Payee, *, refresh_url: str, return_url: str) -> str:
    """The address where the payee tells Stripe who it is; good once and for minutes, so made at each click."""
    payee = ensure_account(payee)
    return gateway.account_link(payee.stripe_account_id, refresh_url=refresh_url, return_url=return_url)


def find_by_account(stripe_account_id: str) -> Payee | None:
    return Payee.objects.filter(stripe_account_id=stripe_account_id).first() if stripe_account_id else None


def require_ready(payee: Payee) -> None:
    """Raises PayeeNotReady where Stripe would not take money for the payee."""
    if payee.state != Payee.State.READY:
        raise PayeeNotReady(f"{payee.name} cannot be paid yet: {payee.get_state_display()}. Send the onboarding link.")
