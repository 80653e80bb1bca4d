"""Every posting on the Stripe account is traced to the thing at Stripe that moved the money."""

import pytest
from django.utils import timezone

from payments.models import Charge, Refund
from payments.reconcile import Posting, Traced
from store import traces
from store.models import Order
from tests.factories.store import make_order

pytestmark = pytest.mark.django_db
DU = "du_0123456789abcdef"


def posting(reference: str) -> Posting:
    return Posting(reference, "X", "EUR", 1, timezone.now())


def traced(*references: str) -> dict[str, Traced]:
    return traces.trace([posting(reference) for reference in references])


def charged(number: str) -> Charge:
    return Charge.objects.create(reference=number, request_sha256="0", amount_minor=100, currency="EUR",
                                 transfer_group=number, stripe_charge_id=f"ch_{number}")  # fmt: skip


def test_a_line_is_traced_to_the_charge_of_its_order_and_its_fee_as_a_fee() -> None:
    order = make_order()
    charged(order.number)
    line = order.lines.get()
    sale, fee = f"sale:{line.public_id}", f"fee:{order.number}"
    assert traced(sale, fee) == {
        sale: Traced(f"ch_{order.number}"), fee: Traced(f"ch_{order.number}", is_fee=True),
    }  # fmt: skip


def test_credit_and_gift_cards_are_traced_to_what_paid_for_them() -> None:
    charged("CR-1")
    assert traced("credit:CR-1", "gift-card:CR-1") == {
        "credit:CR-1": Traced("ch_CR-1"), "gift-card:CR-1": Traced("ch_CR-1"),
    }  # fmt: skip


@pytest.mark.parametrize("reference", ["refund:a", "refund:a:2", "credit-refund:b"])
def test_what_went_back_is_traced_to_its_refund(reference: str) -> None:
    Refund.objects.create(charge=charged("CS-1"), reference=reference, amount_minor=1, stripe_refund_id="re_1")
    assert traced(reference) == {reference: Traced("re_1")}


def test_what_credit_paid_of_a_sale_is_one_fact_with_it() -> None:
    order = make_order()
    charged(order.number)
    sale, applied = f"sale:{order.lines.get().public_id}", f"credit-applied:{order.number}"
    assert traced(sale, applied) == {sale: Traced(f"ch_{order.number}"), applied: Traced(f"ch_{order.number}")}


def test_a_sale_that_credit_paid_whole_is_no_business_of_stripes() -> None:
    order = make_order()
    Order.objects.filter(pk=order.pk).update(credit_minor=order.total_minor)
    sale, applied = f"sale:{order.lines.get().public_id}", f"credit-applied:{order.number}"
    assert traced(sale, applied) == {sale: Traced(f"credit:{order.number}"), applied: Traced(f"credit:{order.number}")}


def test_what_went_back_into_a_wallet_is_one_fact_with_its_refund() -> None:
    Refund.objects.create(charge=charged("CS-1"), reference="refund:a", amount_minor=1, stripe_refund_id="re_1")
    assert traced("refund:a", "credit-returned:refund:a") == {
        "refund:a": Traced("re_1"), "credit-returned:refund:a": Traced("re_1"),
    }  # fmt: skip
    assert traced("refund:b", "credit-returned:refund:b") == {
        "refund:b": Traced("credit:refund:b"), "credit-returned:refund:b": Traced("credit:refund:b"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (f"chargeback:00000000-0000-0000-0000-000000000000:{DU}", Traced(DU)),
        (f"chargeback:{DU}:rest", Traced(DU)),
        (f"chargeback:{DU}:fee", Traced(DU, is_fee=True)),
        (f"reinstated:00000000-0000-0000-0000-000000000000:{DU}", Traced(f"{DU}:back")),
        (f"chargeback:{DU}:rest-reinstated", Traced(f"{DU}:back")),
        (f"chargeback:{DU}:fee-returned", Traced(f"{DU}:back", is_fee=True)),
    ],
)
def test_what_a_bank_took_and_put_back_is_traced_to_its_dispute(reference: str, expected: Traced) -> None:
    assert traced(reference) == {reference: expected}


def test_a_name_nobody_knows_is_traced_to_nothing() -> None:
    assert traced("loan:1", "sale:nonsense", "fee:CS-UNKNOWN") == {}
