import pytest
from django.utils import timezone

from payments import chain
from payments.models import Statement
from tests.factories.payments import AT, make_payee, post_sale
from tests.fakes import stripe_sandbox  # noqa: F401 - a fixture


@pytest.fixture
def everything_recorded(transactional_db: None) -> None:
    """One row in every table that is never changed."""
    post_sale()
    chain.seal_new(at=timezone.now())
    Statement.objects.create(
        payee=make_payee(), number="S-1", currency="EUR", since=AT, until=timezone.now(), opening_micros=0,
        closing_micros=0, document={}, sha256="", issued_at=timezone.now(),
    )  # fmt: skip
