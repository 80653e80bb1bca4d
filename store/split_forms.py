"""What a label writes down about who is paid: splits, their ends, and advances."""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import forms

from payments.models import Payee
from store.forms import AmountField, CountriesField
from store.owed import Named

LAYER_CHOICES = [("", "Recording and work"), ("RECORDING", "Recording only"), ("WORK", "Work only")]
_PERCENT = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,9})?)\s*%?")
_FRACTION = re.compile(r"([0-9]{1,6})\s*/\s*([1-9][0-9]{0,5})")


def day_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class PartField(forms.CharField):
    """A part of the whole, exactly as it is written: in percent (33.333333) or as a fraction of the whole (1/3)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=20, **options)
        self.widget.attrs |= {"inputmode": "text", "autocomplete": "off", "size": 10}

    def clean(self, value: str) -> Fraction | None:
        text = super().clean(value).strip()
        if not text:
            return None
        if told := _FRACTION.fullmatch(text):
            part = Fraction(int(told[1]), int(told[2]))
        elif told := _PERCENT.fullmatch(text):
            part = Fraction(Decimal(told[1].replace(",", "."))) / 100
        else:
            raise forms.ValidationError("Write a percentage such as 33.333333, or a fraction such as 1/3.", code="part")
        if not 0 < part <= 1:
            raise forms.ValidationError("A part is above nought and at most 100%.", code="bounds")
        return part


class SplitPartForm(forms.Form):
    """One row of a split: somebody named before, or somebody new. An empty row counts for nothing."""

    payee = forms.ChoiceField(label="Payee", required=False)
    name = forms.CharField(label="Name", max_length=200, required=False)
    email = forms.EmailField(label="E-mail", required=False)
    country = CountriesField(label="Country", max_length=2, required=False)
    part = PartField(label="Part, % or a/b", required=False)
    named = forms.BooleanField(label="agrees to be named to buyers", required=False)

    def __init__(self, *args: Any, payees: Sequence[Payee], **options: Any) -> None:
        super().__init__(*args, **options)
        self.known = {str(payee.public_id): payee for payee in payees}
        names = [(key, f"{payee.name}, {payee.email}") for key, payee in self.known.items()]
        self.fields["payee"].choices = [("", "Somebody new"), *names]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        said = [name for name in ("payee", "name", "email", "country", "part") if data.get(name)]
        if said and not data.get("part") and "part" not in self.errors:
            self.add_error("part", "Say which part.")
        if said and not data.get("payee"):
            for name in ("name", "email", "country"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, "Somebody new needs this.")
        return data

    def read(self) -> Named | None:
        """The row as `owed` takes it; None for an empty one."""
        data = self.cleaned_data
        if not data.get("part"):
            return None
        country = data["country"][0] if data.get("country") else ""
        return Named(data["part"], self.known.get(data["payee"]), data["name"], data["email"], country, data["named"])


SplitFormSet = forms.formset_factory(SplitPartForm, extra=3, max_num=50)


class SplitForm(forms.Form):
    """What all rows of a split share."""

    layer = forms.ChoiceField(label="Of what", required=False, choices=LAYER_CHOICES)
    starts_on = forms.DateField(label="From", widget=day_input())
    signed_by = forms.CharField(label="Signed by", max_length=200)


class EndLetterForm(forms.Form):
    until = forms.DateField(label="Ends before", widget=day_input())


class AdvanceForm(forms.Form):
    """An advance: who got it, to whom it comes back, how much, and out of which part of the earnings."""

    payee = forms.ChoiceField(label="Given to")
    repaid_to = forms.ChoiceField(label="Comes back to")
    share = PartField(label="Kept of each earning, % or a/b", initial="100")
    given_on = forms.DateField(label="Given on", widget=day_input())
    agreement = forms.CharField(label="By which contract", max_length=200)

    field_order = ("payee", "repaid_to", "amount", "share", "given_on", "agreement")

    def __init__(self, *args: Any, payees: Sequence[Payee], currency: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.known = {str(payee.public_id): payee for payee in payees}
        for name in ("payee", "repaid_to"):
            self.fields[name].choices = [(key, payee.name) for key, payee in self.known.items()]  # type: ignore[attr-defined]
        self.fields["amount"] = AmountField(label=f"Amount, {currency}", currency=currency)
        self.order_fields(self.field_order)
