"""Forms for credit and gift cards. How much may be asked is the acts' to say; here it is only read."""

from typing import Any

from django import forms
from django.conf import settings

from store.forms import AmountField


class TopUpForm(forms.Form):
    """How much credit to add."""

    request_key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["amount"] = AmountField(
            currency=settings.STORE_CURRENCY, label=f"Amount in {settings.STORE_CURRENCY}", initial="20.00"
        )


class GiftCardForm(TopUpForm):
    """A gift card: how much, for whom, with which words, from which day."""

    recipient = forms.EmailField(label="Whom it goes to", help_text="Their e-mail address.")
    message = forms.CharField(
        label="Your words", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
    deliver_on = forms.DateField(
        label="When it arrives",
        required=False,
        help_text="At once, unless you choose a day.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    field_order = ("amount", "recipient", "message", "deliver_on", "request_key")


class RedeemForm(forms.Form):
    code = forms.CharField(
        label="Code of a gift card",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )
