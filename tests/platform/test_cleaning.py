"""What one test commits, no other meets: the tables it touched are emptied, and what migrations left is put back."""

import pytest
from django.contrib.contenttypes.models import ContentType

from catalog.models import Party
from payments.models import Transfer
from store.models import SavedReason
from tests import cleaning
from tests.factories.catalog import make_label
from tests.factories.payments import post_sale

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _where_it_is_possible(transactional_db: None) -> None:
    if not cleaning.ready():
        pytest.skip("only a superuser of the database may write past triggers")


def test_what_was_written_is_gone_even_where_nobody_may_delete_it() -> None:
    post_sale()
    make_label()
    assert {"payments_transfer", "payments_entry", "catalog_party"} <= set(cleaning.clean())
    assert not Transfer.objects.exists()
    assert not Party.objects.exists()


def test_rows_of_the_migrations_come_back_as_they_were() -> None:
    before = list(SavedReason.objects.order_by("pk").values())
    kinds = ContentType.objects.count()
    SavedReason.objects.update(text="something else")
    ContentType.objects.filter(app_label="store").delete()
    cleaning.clean()
    assert before
    assert list(SavedReason.objects.order_by("pk").values()) == before
    assert ContentType.objects.count() == kinds


def test_a_clean_database_is_left_alone() -> None:
    assert cleaning.clean() == []


def test_what_was_laid_out_can_be_put_back_for_the_next_test() -> None:
    label = make_label("Harbour Records")
    post_sale()
    rows = cleaning.take()
    cleaning.clean()
    cleaning.put(rows)
    assert Party.objects.get(pk=label.pk).name == "Harbour Records"
    assert Transfer.objects.exists()
    assert make_label().pk > label.pk
