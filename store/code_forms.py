"""Codes as labels and the shop fill them in, and how they stand in words."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms

from catalog.models import Party, Release
from payments.money import currencies
from store import codes
from store.codes import Terms
from store.forms import AmountField, in_words
from store.models import Code
from store.templatetags.shop import money as money_words

MOST_CHOICES = 500


class LabelField(forms.CharField):
    """A label by the word in the address of its page; empty where it may be."""

    def clean(self, value: str) -> Party | None:
        slug = super().clean(value).strip().strip("/").rpartition("/")[2]
        if not slug:
            return None
        found = Party.objects.filter(slug=slug).first()
        if found is None:
            raise forms.ValidationError("There is no such label. Take the word from the address of its page.")
        return found


class TermsForm(forms.Form):
    """One code with a word of its own, or a batch of random ones."""

    text = forms.CharField(
        label="Code", max_length=40, required=False, help_text="A word such as SPRING-26. Empty: random ones."
    )
    act = forms.ChoiceField(
        label="Takes off", choices=[("PERCENT", "Per cent"), ("AMOUNT", "An amount"), ("FREE", "All of it")]
    )
    value = forms.CharField(label="How much", max_length=20, required=False)
    currency = forms.ChoiceField(label="Currency of the amount", choices=[(code, code) for code in currencies()])
    max_uses = forms.IntegerField(
        label="Good for how many orders", min_value=1, max_value=1_000_000, required=False, help_text="Empty: no limit."
    )
    count = forms.IntegerField(label="How many codes", min_value=1, max_value=codes.MOST_AT_ONCE, initial=1)
    starts_on = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    ends_on = forms.DateField(label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    batch = forms.CharField(label="What for", max_length=80, required=False, help_text="A note to yourself.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        act, value = data.get("act"), data.get("value", "").strip()
        data["percent"], data["amount"] = (100, None) if act == "FREE" else (None, None)
        if act == "PERCENT":
            if not (value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= 100):  # noqa: PLR2004 - per cent
                self.add_error("value", "Write 1 to 100 per cent, in plain digits.")
            else:
                data["percent"] = int(value)
        if act == "AMOUNT":
            try:
                data["amount"] = AmountField(currency=data.get("currency", "EUR")).clean(value)
            except forms.ValidationError as error:
                self.add_error("value", in_words(error))
        return data

    def terms(self, *, at: datetime) -> Terms:
        said = self.cleaned_data
        return Terms(
            said["percent"], said["amount"], _begin(said["starts_on"]) or at,
            ends_at=_begin(said["ends_on"] and said["ends_on"] + timedelta(days=1)),
            max_uses=said["max_uses"], release=said.get("release"),
        )  # fmt: skip


def _begin(day: Any) -> datetime | None:
    """Days are UTC's, as on statements."""
    return datetime.combine(day, time(), UTC) if day else None


class CodeForm(TermsForm):
    """A label's, for all its music or one release."""

    release = forms.ModelChoiceField(
        label="For", queryset=Release.objects.none(), required=False, empty_label="All our music"
    )

    def __init__(self, *args: Any, label: Party, **options: Any) -> None:
        super().__init__(*args, **options)
        mine = Release.objects.filter(label=label).order_by("title", "pk")[:MOST_CHOICES]
        chosen = Release.objects.filter(pk__in=[one.pk for one in mine]).order_by("title")
        self.fields["release"].queryset = chosen  # type: ignore[attr-defined]


class ShopCodeForm(TermsForm):
    """The shop's own, which its commission bears; for all music or one label's."""

    label = LabelField(
        label="For one label", required=False, max_length=200, help_text="Empty: all music. Else its page's address."
    )


def takes(code: Code) -> str:
    """What a code takes off, in words."""
    if code.percent is not None:
        return "all of it" if code.percent == 100 else f"{code.percent}%"  # noqa: PLR2004 - per cent
    return money_words(code.amount_minor, code.currency)


def stands(code: Code, now: datetime) -> dict[str, str]:
    """The state of a code, as a mark and a word."""
    if code.ends_at is not None and code.ends_at <= now:
        return {"kind": "refused", "word": "Ended"}
    if code.max_uses is not None and code.used >= code.max_uses:
        return {"kind": "refused", "word": "Used up"}
    return {"kind": "waiting", "word": "Not yet"} if code.starts_at > now else {"kind": "cleared", "word": "Counts"}
