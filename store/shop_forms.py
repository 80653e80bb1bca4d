"""Forms of the shop: what a person states at the checkout and about herself."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from licensing.territories import is_country
from store.gifts import Wish
from store.models import User


class CountryField(forms.ChoiceField):
    """A country by name; the value is its ISO 3166-1 code."""

    def __init__(self, *, countries: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(choices=countries, **kwargs)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and not is_country(value):
            raise forms.ValidationError("Choose a country from the list.")


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the checker only
    """What a person tells about herself; the e-mail address and password have pages of their own."""

    class Meta:
        model = User
        fields = ["name", "country"]
        labels = {"name": "Name", "country": "Country"}
        help_texts = {
            "country": "Prices, taxes and what may be sold depend on it. At the checkout you can say another."
        }

    def __init__(self, *args: Any, countries: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"] = CountryField(
            countries=[("", "not said"), *countries],
            required=False,
            help_text=self._meta.help_texts["country"],  # type: ignore[index]
            widget=forms.Select(attrs={"autocomplete": "country"}),
        )
        self.fields["name"].widget.attrs["autocomplete"] = "name"


class CheckoutForm(forms.Form):
    """What the law and the sale need to be told before paying."""

    country = forms.CharField(widget=forms.HiddenInput)
    resides = forms.BooleanField(required=False, label="I live in the country I buy from")
    use_credit = forms.BooleanField(required=False, initial=True, label="Pay with my credit")
    request_key = forms.CharField(max_length=100, widget=forms.HiddenInput)
    consent = forms.BooleanField(
        label="Start the download at once",
        help_text="I ask for the files immediately, and I know that I thereby lose my right to withdraw from the sale.",
        error_messages={
            "required": "Tick this so that the files can be yours at once; without it nothing can be sold."
        },
    )

    def __init__(self, *args: Any, asked_again: str = "", credit: str = "", **kwargs: Any) -> None:
        """`asked_again` names the country that the buyer's connection comes from, where it is not the one stated;
        `credit` says what her credit would pay, where it can pay anything."""
        super().__init__(*args, **kwargs)
        if credit:
            self.fields["use_credit"].help_text = credit
        else:
            del self.fields["use_credit"]
        if asked_again:
            self.fields[
                "resides"
            ].help_text = f"Your connection comes from {asked_again}. The tax goes to the country in which you live."
        else:
            del self.fields["resides"]

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if not is_country(country):
            raise forms.ValidationError("Choose a country from the list.")
        return country


class GiftForm(forms.Form):
    """Whom an order is given to. Nothing of it counts unless `wanted` is ticked."""

    wanted = forms.BooleanField(label="This is a gift", required=False)
    recipient = forms.EmailField(label="E-mail of your friend", required=False)
    recipient_name = forms.CharField(label="Their name", max_length=100, required=False)
    sender_name = forms.CharField(label="Your name, as they know you", max_length=100, required=False)
    message = forms.CharField(
        label="Your words", max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    day = forms.DateField(
        label="On", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The letter goes out on this day. Empty: as soon as it is paid.",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("wanted") and not data.get("recipient") and "recipient" not in self.errors:
            self.add_error("recipient", "Write where the gift is to be told of.")
        return data

    def wish(self) -> Wish | None:
        """What was asked for, once the form is valid; None where it is no gift. Days are UTC's."""
        said = self.cleaned_data
        if not said["wanted"]:
            return None
        day = said["day"]
        return Wish(
            recipient=said["recipient"],
            send_at=datetime.combine(day, time(8), UTC) if day else None,
            recipient_name=said["recipient_name"],
            sender_name=said["sender_name"],
            message=said["message"],
        )


class SendAgainForm(forms.Form):
    """Where a gift is told of again."""

    recipient = forms.EmailField(label="E-mail of your friend")


class BusinessForm(forms.Form):
    """A business that buys: its VAT number, and whom the invoice is addressed to."""

    vat_id = forms.CharField(
        max_length=30,
        label="VAT number",
        help_text="With its country's letters, such as DE136695976.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    company = forms.CharField(
        max_length=200, label="Name of the business", widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    address = forms.CharField(
        max_length=1000,
        label="Its address",
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )
