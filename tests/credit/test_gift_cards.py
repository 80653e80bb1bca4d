"""A gift card becomes credit once, for the first who brings its code; until then it can be called back."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from payments.money import Money
from store import credit_purchases, gift_cards
from store.errors import CreditRefused
from store.models import GiftCard, Letter
from tests.factories.store import make_user


def redeem(purchase, user, code=""):
    return gift_cards.redeem(code or gift_cards.code_of(purchase), by=user, at=timezone.now())


def test_whoever_brings_the_code_has_the_credit(till):
    redeem(till.card(2000), till.charlie)
    assert (till.held(till.alice), till.held(till.charlie)) == (0, 2000)


def test_a_code_is_read_as_people_type_it(till):
    purchase = till.card()
    typed = gift_cards.code_of(purchase).lower().replace("-", " ").replace("o", "0").replace("i", "1")
    redeem(purchase, till.charlie, typed)
    assert till.held(till.charlie) == 2000


def test_a_code_works_once(till):
    purchase = till.card()
    redeem(purchase, till.charlie)
    with pytest.raises(CreditRefused, match="redeemed before"):
        redeem(purchase, till.alice)


def test_a_made_up_code_is_refused(till):
    till.card()
    with pytest.raises(CreditRefused, match="no gift card with this code"):
        redeem(None, till.charlie, "AAAA-BBBB-CCCC-DDDD")


def test_no_row_holds_the_code(till):
    purchase = till.card()
    code = gift_cards.code_of(purchase)
    assert code not in str(list(GiftCard.objects.values()))
    assert code not in Letter.objects.get(kind="gift_card").body


def test_the_letter_waits_for_its_day_and_leads_to_the_card(till, client):
    day = (timezone.now() + timedelta(days=9)).date()
    purchase = till.card(deliver_on=day, message="Happy birthday")
    letter = Letter.objects.get(kind="gift_card")
    assert (letter.recipient, letter.owed_at.date()) == ("charlie@example.org", day)
    path = letter.body[letter.body.index("/gift-cards/") :].split()[0]
    page = client.get(path).content.decode()
    assert gift_cards.code_of(purchase) in page
    assert "Happy birthday" in page


def test_a_link_that_was_tampered_with_leads_nowhere(till, client):
    token = gift_cards.token_of(till.card())
    assert client.get(f"/gift-cards/{token[:-1]}x").status_code == 404


def test_after_the_shops_key_has_changed_the_code_still_works(till, settings):
    purchase = till.card()
    code = gift_cards.code_of(purchase)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 8, [settings.SECRET_KEY]
    assert gift_cards.code_of(purchase) == code
    redeem(purchase, till.charlie, code)


def test_a_card_nobody_redeemed_goes_back_to_its_buyer(till):
    purchase = till.card()
    credit_purchases.give_back(purchase, Money.of(2000, "EUR"), at=timezone.now())
    with pytest.raises(CreditRefused, match="called back"):
        redeem(purchase, till.charlie)
    assert [one["amount"] for one in till.stripe.objects("refund")] == [2000]


def test_a_redeemed_card_cannot_be_called_back(till):
    purchase = till.card()
    redeem(purchase, till.charlie)
    purchase.refresh_from_db()
    with pytest.raises(CreditRefused):
        credit_purchases.give_back(purchase, Money.of(2000, "EUR"), at=timezone.now())
    assert till.held(till.charlie) == 2000


def test_a_card_waits_where_the_wallet_is_full(till, settings):
    settings.CREDIT_CAP_MINOR = 2500
    purchase = till.card(2000)
    till.bought(1000, key="k2")
    with pytest.raises(CreditRefused, match="the card waits"):
        redeem(purchase, till.alice)
    redeem(purchase, till.charlie)


def test_the_database_lets_no_card_be_used_again(till):
    purchase = till.card()
    redeem(purchase, till.charlie)
    with pytest.raises(IntegrityError, match="once"):
        GiftCard.objects.update(redeemed_by=None, redeemed_at=None)


@pytest.mark.django_db(transaction=True)
def test_eight_who_bring_one_code_at_once_make_one_owner(stripe_sandbox):
    from tests.credit.conftest import Till

    till = Till(stripe_sandbox)
    purchase = till.card()
    people = [make_user(f"Guest {number}") for number in range(8)]
    start = threading.Barrier(8)

    def run(user) -> None:
        start.wait(20)
        try:
            redeem(purchase, user)
        except CreditRefused:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(till.held(user) for user in people) == [0] * 7 + [2000]
