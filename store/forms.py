"""What the studio and the reviewer's desk ask people for, and what they refuse before any rule is called.

A form reads text into values (an amount, a set of countries, a date); whether the thing may be done is decided by the
act it is handed to.
"""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.files import File
from django.core.validators import URLValidator
from django.db.models import QuerySet

from catalog.models import TITLE_LENGTH, Recording
from licensing.territories import COUNTRIES
from payments.errors import CurrencyError
from payments.money import Currency, Money, decimal_to_minor
from store import quotes
from store.errors import AmountRefused, StoreError
from store.models import MOST_MINOR, Membership
from store.record_fields import PlacesField

OWN_WORKS = (
    "The works and recordings are our own: the performers wrote the works, and no writer is bound by an exclusive "
    "mandate to a collecting society."
)
DIRECT_GRANT = (
    "We grant Clearsong the right to sell these recordings as permanent downloads, by the agreement attached."
)
AGREEMENT_BYTES = 20 * 1024**2
_CLOCK = re.compile(r"(?:(?:([0-9]{1,2}):)?([0-9]{1,4}):)?([0-9]{1,5}(?:[.,][0-9]{1,3})?)")


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files from one control."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> "list[File[bytes]]":
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if not files and self.required:
            raise forms.ValidationError("Choose the files to deliver.", code="required")
        return [super(FilesField, self).clean(file, initial) for file in files]


class AmountField(forms.CharField):
    """An amount as people write it, read into `Money` of `currency`: "1", "1.50" or "1,50", and nought where `zero`.

    Plain digits alone: what a program may take for a number ("1E+2", "1_000", digits of other scripts) is none here.
    """

    def __init__(self, *, currency: str, zero: bool = False, **options: Any) -> None:
        super().__init__(max_length=20, **options)
        self.currency = Currency(currency)
        self.zero = zero
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "size": 8}

    def clean(self, value: str) -> Money | None:
        text = super().clean(value).strip()
        if not text:
            return None
        try:
            minor = decimal_to_minor(text.replace(",", "."), self.currency)
        except CurrencyError as error:
            if _AMOUNT.fullmatch(text) is None:
                said = f"Write an amount in plain digits, such as 1.00; “{text}” is none."
                raise forms.ValidationError(said, code="invalid") from None
            raise forms.ValidationError(_decimals(self.currency), code="decimals") from error
        if minor > MOST_MINOR or (minor == 0 and not self.zero):
            said = "The price must be above nought." if minor == 0 else "That is more than anything can cost."
            raise forms.ValidationError(said, code="bounds")
        return Money(minor, self.currency)


class PriceField(AmountField):
    """An amount that can be asked for one thing: it can be paid alone, or is nought where `zero`."""

    def clean(self, value: str) -> Money | None:
        amount = super().clean(value)
        try:
            if amount is not None:
                quotes.askable(amount)
        except AmountRefused as refusal:
            raise forms.ValidationError(refusal.message, code="bounds") from refusal
        return amount


def in_words(refusal: forms.ValidationError | StoreError) -> str:
    """What a field or an act says against a value."""
    return refusal.message if isinstance(refusal, StoreError) else " ".join(refusal.messages)


_AMOUNT = re.compile(r"[0-9]{1,12}([.,][0-9]{1,6})?", re.ASCII)


def _decimals(currency: Currency) -> str:
    """Which amounts of a currency can be paid, in words."""
    if currency.charge_step == 100:  # noqa: PLR2004 - the step of the two that are charged whole
        return f"{currency} is paid in whole units; write no decimals."
    digits = currency.exponent - (1 if currency.charge_step > 1 else 0)
    return f"{currency} is paid with {digits} decimals; write no more." if digits else f"{currency} has no decimals."


class CountriesField(forms.CharField):
    """Country codes, apart by commas or spaces, as a sorted tuple; unknown ones are named."""

    def clean(self, value: str) -> tuple[str, ...]:
        codes = {code for code in re.split(r"[\s,;]+", super().clean(value).upper()) if code}
        unknown = sorted(codes - set(COUNTRIES))
        if unknown:
            raise forms.ValidationError(
                f"Not a country's code: {', '.join(unknown)}. Write two letters each, such as DE, AT, CH.",
                code="country",
            )
        return tuple(sorted(codes))


class AgreementField(forms.FileField):
    """A PDF, by its own first bytes and not by its name."""

    def clean(self, data: Any, initial: Any = None) -> "File[bytes] | None":
        file: File[bytes] | None = super().clean(data, initial)
        if not file:
            return None
        if (file.size or 0) > AGREEMENT_BYTES:
            raise forms.ValidationError("The agreement is larger than 20 MB; make the PDF smaller.", code="large")
        file.seek(0)
        if not file.read(5).startswith(b"%PDF-"):
            raise forms.ValidationError("The agreement must be a PDF; this file is not one.", code="not_pdf")
        file.seek(0)
        return file


class TermsForm(forms.Form):
    """Where and from when to when a direct grant holds; shared by the delivery and the later declaration."""

    WORLD, ONLY, EXCEPT = "WORLD", "ONLY", "EXCEPT"
    where = forms.ChoiceField(
        label="Where",
        choices=[(WORLD, "Everywhere"), (ONLY, "Only in these countries"), (EXCEPT, "Everywhere but these countries")],
        initial=WORLD,
        required=False,
    )
    countries = PlacesField(
        label="Countries",
        max_length=2000,
        required=False,
        help_text="Two-letter codes, such as DE, AT, CH, or EU, EEA, EFTA, DACH, BENELUX, NORDICS, BALTICS, UKI as "
        "they stand today. Not needed for “Everywhere”.",
    )
    starts_on = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    ends_on = forms.DateField(
        label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"}), help_text="Empty: no end."
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        where = data.get("where") or self.WORLD
        data["territory_mode"] = "ONLY" if where == self.ONLY else "WORLD_EXCEPT"
        data["territories"] = () if where == self.WORLD else data.get("countries") or ()
        given = str(self.data.get(self.add_prefix("countries"), ""))
        data["territories_as_given"] = "" if where == self.WORLD else given[:500]
        if where != self.WORLD and "countries" in data and not data["territories"]:
            self.add_error("countries", "Name the countries, or choose “Everywhere”.")
        start, end = data.get("starts_on"), data.get("ends_on")
        if start and end and end < start:
            self.add_error("ends_on", "The last day lies before the first.")
        return data


class DeliverForm(TermsForm):
    """One delivery: the files, what the label declares about them, and what they shall cost."""

    files = FilesField(label="Files", required=False)  # type: ignore[assignment]
    own_works = forms.BooleanField(label=OWN_WORKS, required=False)
    direct_grant = forms.BooleanField(label=DIRECT_GRANT, required=False)
    agreement = AgreementField(label="Agreement (PDF)", required=False)

    field_order = ("files", "own_works", "direct_grant", "agreement", "where", "countries", "starts_on", "ends_on")

    def __init__(self, *args: Any, currency: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["files"].widget.attrs |= {"class": "drop-input"}
        self.fields["price"] = PriceField(
            label=f"Price per track, {currency}", currency=currency, required=False, help_text="Empty: set it later."
        )
        self.fields["release_price"] = PriceField(
            label=f"Price per release, {currency}", currency=currency, required=False,
            help_text="Empty: the sum of its tracks.",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("direct_grant") and not data.get("agreement") and "agreement" not in self.errors:
            self.add_error("agreement", "A direct grant rests on the agreement: attach it as PDF.")
        if data.get("agreement") and not data.get("direct_grant"):
            self.add_error(
                "direct_grant", "You attached an agreement: say that it grants these rights, or take it out."
            )
        return data


class DeclareForm(TermsForm):
    """A direct grant for recordings that are here already."""

    recordings = forms.ModelMultipleChoiceField(
        label="Recordings", queryset=Recording.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    own_works = forms.BooleanField(
        label=OWN_WORKS,
        required=False,
        help_text="Without this only the recordings are granted, not the works in them.",
    )
    agreement = AgreementField(
        label="Agreement (PDF)", help_text="Signed by both sides. Kept as evidence, with its hash."
    )

    field_order = ("recordings", "own_works", "agreement", "where", "countries", "starts_on", "ends_on")

    def __init__(self, *args: Any, recordings: QuerySet[Recording], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["recordings"].queryset = recordings  # type: ignore[attr-defined]


class PriceForm(forms.Form):
    def __init__(self, *args: Any, currency: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["amount"] = PriceField(
            label=f"Price, {currency}",
            currency=currency,
            zero=True,
            help_text="0 gives it away, where its licence records allow free downloads.",
        )  # fmt: skip

    or_more = forms.BooleanField(
        label="Or more", required=False, help_text="Buyers name their price, from this one up."
    )
    field_order = ("amount", "or_more")


class TitleForm(forms.Form):
    """A correction of how a recording or release is called; files already bought stay as they were."""

    title = forms.CharField(label="Title", max_length=TITLE_LENGTH)
    version_title = forms.CharField(
        label="Version",
        max_length=TITLE_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "Live in Ghent"}),
    )


class CoverForm(forms.Form):
    """Another picture for a release; `store.covers` says which will do."""

    cover = forms.FileField(
        label="Picture (JPEG, PNG, WebP or GIF)",
        max_length=255,
        error_messages={"required": "Choose a picture first."},
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif"}),
    )


class ClockField(forms.CharField):
    """A place in a recording as a clock says it (1:05, 0:12.5, 1:02:03), read into milliseconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=12, **options)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "size": 8}

    def clean(self, value: str) -> int:
        told = _CLOCK.fullmatch(super().clean(value).strip())
        if told is None:
            raise forms.ValidationError("Write minutes and seconds, like 1:05.", code="invalid")
        hours, minutes, seconds = told.groups()
        return (int(hours or 0) * 60 + int(minutes or 0)) * 60_000 + round(Decimal(seconds.replace(",", ".")) * 1000)


class StartForm(forms.Form):
    """Where a preview begins."""

    start = ClockField(label="Begins at")


class EndGrantForm(forms.Form):
    reason = forms.CharField(
        label="Why it ends", max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the record for good. Buyers keep what they bought.",
    )  # fmt: skip
    sure = forms.BooleanField(label="End it: what rests on this record goes off sale at once.")


class MoreForm(forms.Form):
    """Where a label is asked for more than its licences give."""

    url = forms.URLField(
        label="Address of a page",
        required=False,
        max_length=500,
        assume_scheme="https",
        validators=[URLValidator(["https", "http"])],
        help_text="Such as your contact page. Leave it empty to take no questions.",
    )


class MemberForm(forms.Form):
    email = forms.EmailField(label="E-mail", help_text="The person needs a Clearsong account first.")
    role = forms.ChoiceField(label="Role", choices=Membership.Role, initial=Membership.Role.MEMBER)


class LetterForm(forms.Form):
    """A letter of direction: who is paid on the label's behalf, for what part of which layer, and from which day."""

    name = forms.CharField(label="Pay to", max_length=200)
    email = forms.EmailField(label="Their e-mail")
    country = CountriesField(label="Their country", max_length=2, help_text="Two letters, such as DE.")
    percent = forms.DecimalField(
        label="Part, %", min_value=Decimal("0.0001"), max_value=100, max_digits=7, decimal_places=4, initial=100
    )
    layer = forms.ChoiceField(
        label="Of what",
        required=False,
        choices=[("", "Recording and work"), ("RECORDING", "Recording only"), ("WORK", "Work only")],
    )
    starts_on = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    signed_by = forms.CharField(label="Signed by", max_length=200)


class PeriodForm(forms.Form):
    """A span of whole days, both ends included."""

    since = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("since") and data.get("until") and data["until"] < data["since"]:
            self.add_error("until", "The last day lies before the first.")
        return data
