"""What finance staff enter about payees, and labels hand in: tax forms, bank details, the least that is sent."""

from decimal import Decimal
from typing import Any

from django import forms

from payments.models import TaxForm
from store.forms import CountriesField


class TaxFormForm(forms.Form):
    """A form that a payee handed in."""

    kind = forms.ChoiceField(label="Form", choices=TaxForm.Kind.choices)
    country = CountriesField(label="Country whose tax it is about", max_length=2, initial="US")
    percent = forms.DecimalField(
        label="Rate it claims, %", min_value=Decimal(0), max_value=Decimal(100), max_digits=7, decimal_places=4
    )
    valid_from = forms.DateField(label="Valid from", widget=forms.DateInput(attrs={"type": "date"}))
    valid_to = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def given(self) -> dict[str, Any]:
        """What `payees.give_form` takes."""
        data = dict(self.cleaned_data)
        return {
            "kind": data["kind"], "country": data["country"][0], "rate": int(data["percent"] * 10_000),
            "valid_from": data["valid_from"], "valid_to": data["valid_to"],
        }  # fmt: skip


class PaperForm(TaxFormForm):
    """A tax form as a label hands it in for a payee."""

    file = forms.FileField(label="The signed form", help_text="PDF, PNG or JPEG, at most 10 MB.")


class BankForm(forms.Form):
    """Where a payee is paid whom Stripe does not reach."""

    holder = forms.CharField(label="Account holder", max_length=70)
    iban = forms.CharField(label="IBAN", max_length=42, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    bic = forms.CharField(label="BIC", max_length=11, required=False, help_text="Only where the bank asks for it.")


class MinimumForm(forms.Form):
    minimum_minor = forms.IntegerField(
        label="Least that is sent, in minor units", min_value=1, max_value=10**12 - 1, required=False,
        help_text="Empty: what holds for all.",
    )  # fmt: skip


class ConfirmForm(forms.Form):
    on = forms.DateField(label="The bank's date", widget=forms.DateInput(attrs={"type": "date"}))
