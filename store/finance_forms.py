"""What finance staff enter: about payees (and labels hand in), contracts, rate cards."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone

from licensing import rates
from licensing.terms import RateBase, RateMethod, Use
from payments.models import TaxForm
from payments.money import currencies
from store.code_forms import LabelField
from store.forms import CountriesField

PLAIN = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
BASES = [
    (RateBase.NET, "the price without tax"),
    (RateBase.GROSS_EX_TAX, "the price without tax (as a tariff says it)"),
]
USES = [(Use.PERMANENT_DOWNLOAD, "a download"), (Use.STREAM, "a stream")]
METHODS = [
    (RateMethod.PERCENT, "per cent"),
    (RateMethod.FLAT, "an amount a copy"),
    (RateMethod.PER_MINUTE_OVER, "an amount a minute, over a length"),
    (RateMethod.GREATER_OF, "the greater: an amount a copy, or by minute or per cent"),
    (RateMethod.GREATER_OF_WITH_MIN, "per cent, with a least amount"),
]


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


def _day(label: str, **options: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}), **options)


class ContractForm(forms.Form):
    """What a contract says the store keeps of a label's sales."""

    label = LabelField(label="Label", max_length=200, help_text="The address of its page, or the last word of it.")
    percent = forms.DecimalField(
        label="Of the price without tax, %", min_value=Decimal(0), max_value=Decimal(100), max_digits=9,
        decimal_places=6,
    )  # fmt: skip
    starts_on = _day("From")
    until = _day("First day without it", required=False, help_text="Empty: no end.")
    agreement = forms.CharField(label="The contract that says so", max_length=200)


class EndForm(forms.Form):
    until = _day("First day without it")

    def clean_until(self) -> date:
        until: date = self.cleaned_data["until"]
        if until < timezone.now().date():
            raise forms.ValidationError("Today or later: what was sold keeps the share of its day.", code="past")
        return until


class RateForm(forms.Form):
    """Rows of a tariff for some countries: what a work is paid for a copy. Amounts in main units."""

    tariff = forms.CharField(label="Tariff", max_length=40, help_text="HOUSE is the shop's own card.")
    countries = CountriesField(label="Countries", max_length=1000, help_text="Two letters each, such as DE, AT, CH.")
    use = forms.ChoiceField(label="For", choices=USES, initial=Use.PERMANENT_DOWNLOAD)
    method = forms.ChoiceField(label="Reckoned as", choices=METHODS)
    percent = forms.CharField(label="Per cent", max_length=12, required=False)
    base = forms.ChoiceField(label="Per cent of", choices=[("", "nothing"), *BASES],
                             required=False, initial=RateBase.NET)  # fmt: skip
    flat = forms.CharField(label="A copy", max_length=16, required=False)
    per_minute = forms.CharField(label="A minute", max_length=16, required=False)
    over_seconds = forms.IntegerField(label="Over so many seconds", min_value=0, required=False)
    minimum = forms.CharField(label="At least", max_length=16, required=False)
    currency = forms.ChoiceField(label="Currency", choices=[(code, code) for code in currencies()], initial="EUR")
    tracks_from = forms.IntegerField(label="From so many tracks", min_value=1, initial=1)
    tracks_to = forms.IntegerField(label="To so many tracks", min_value=1, required=False)
    valid_from = _day("From")
    valid_to = _day("Last day", required=False)
    source = forms.CharField(label="Source", max_length=500, help_text="So that somebody else can verify it.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in ("percent", "flat", "per_minute", "minimum"):
            data[name] = str(data.get(name) or "").strip().replace(",", ".")
            if data[name] and not PLAIN.fullmatch(data[name]):
                self.add_error(name, "Write it in plain digits, such as 9 or 0.09.")
        return data

    def rows(self) -> list[dict[str, Any]]:
        """What `rates.import_rates` takes: one row for each country."""
        said = self.cleaned_data
        same = {name: "" if value is None else str(value) for name, value in said.items() if name != "countries"}
        return [rates.from_row({**same, "territory": country, "payee_model": ""}) for country in said["countries"]]
