"""What finance staff type in to give money back."""

from typing import Any

from django import forms

from payments.errors import CurrencyError
from payments.money import Currency, decimal_to_minor


class RefundForm(forms.Form):
    """How much goes back, and why. `amount` is cleaned to minor units; None stands for all that is left."""

    amount = forms.CharField(
        label="How much; empty for all of it", required=False, max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    reason = forms.CharField(label="Why; kept with the decision", max_length=200)

    def __init__(self, *args: Any, currency: str, **named: Any) -> None:
        super().__init__(*args, **named)
        self.currency = Currency(currency)

    def clean_amount(self) -> int | None:
        text = self.cleaned_data["amount"].strip()
        if not text:
            return None
        try:
            return decimal_to_minor(text, self.currency)
        except CurrencyError:
            example = "1.50" if self.currency.exponent else "150"
            raise forms.ValidationError(f"Write the amount in {self.currency} as digits, such as {example}.") from None
