"""What the notice desk, a struck label and somebody from outside are asked for. What may be done, the acts say."""

from fractions import Fraction
from typing import Any

from django import forms

from catalog.models import Party
from licensing.notice_rules import RULES
from licensing.terms import Layer, NoticeKind
from store import demands
from store.forms import AgreementField
from store.models import Demand
from store.notice_desk import OUTCOMES

SUBJECT_HELP = "An ISRC, an ISWC, or the address of a release, track or label on this site."
NOT_HERE = "Nothing here has this code or address. Copy the address of the page it is about."
LAYERS = [("", "Both, or I do not know"), (Layer.RECORDING, "The recording"), (Layer.WORK, "The composition or words")]


def area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class SubjectField(forms.CharField):
    """What it is about, as a row of the catalogue."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=300, help_text=SUBJECT_HELP, **options)

    def clean(self, value: str) -> Any:
        text = super().clean(value)
        found = demands.find(text)
        if found is None:
            raise forms.ValidationError(NOT_HERE, code="unknown")
        return found


class NoticeForm(forms.Form):
    """A demand that something stop, as the desk enters it from its own mail."""

    kind = forms.ChoiceField(
        label="What is demanded",
        choices=[
            ("TAKEDOWN", "Takedown: stop selling"),
            ("DISPUTE", "Dispute: ownership is contested"),
            ("LEGAL_HOLD", "Legal hold: a court or authority orders it"),
            ("RECALL", "Recall: it should never have been sold; buyers get their money back"),
        ],
    )
    subject = SubjectField(label="Of what")
    layer = forms.ChoiceField(
        label="Which right", choices=LAYERS, required=False, help_text="For a dispute; the rest stops both."
    )
    claimant = forms.CharField(label="Who demands it", max_length=200)
    contact = forms.CharField(
        label="How to reach them", max_length=200, required=False, help_text="To an e-mail address we write ourselves."
    )
    statement = forms.CharField(label="On what ground", widget=area(5), max_length=5000)
    until = forms.DateField(
        label="Holds until", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Of an order that names its own end; it is looked at again then.",
    )  # fmt: skip
    letter = AgreementField(label="Their letter (PDF)", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("kind") == NoticeKind.LEGAL_HOLD and not data.get("letter") and "letter" not in self.errors:
            self.add_error("letter", "An order is entered with its paper: attach it as PDF.")
        return data


class LiftForm(forms.Form):
    """How a case ends; for a dispute, also whose the right is."""

    outcome = forms.ChoiceField(label="How it ended", choices=list(OUTCOMES.items()))
    reason = forms.CharField(label="Why it is lifted", max_length=2000, widget=area(3))
    letter = AgreementField(label="The paper that ends it (PDF)", required=False)
    proven = forms.SlugField(
        label="The right is of", required=False, max_length=200,
        help_text="The last part of the address of their page here, as in /label/this-part. Empty: as it was.",
    )  # fmt: skip
    percent = forms.DecimalField(
        label="Their part, %", required=False, min_value=0, max_value=100, max_digits=9, decimal_places=6
    )

    def __init__(self, *args: Any, kind: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.kind = kind
        if kind != NoticeKind.DISPUTE:
            del self.fields["proven"], self.fields["percent"]
        rule = RULES.get(kind)
        self.fields["letter"].required = rule is not None and rule.needs_order
        self.fields["outcome"].choices = [  # type: ignore[attr-defined]
            (code, words) for code, words in OUTCOMES.items() if rule is None or rule.answerable or code != "COUNTERED"
        ]

    def clean_proven(self) -> Party | None:
        slug = self.cleaned_data["proven"]
        if not slug:
            return None
        found = Party.objects.filter(slug=slug).first()
        if found is None:
            raise forms.ValidationError("Nobody here has this address. Make their page first, or leave it empty.")
        return found

    @property
    def share(self) -> Fraction:
        """The awarded part, exact."""
        percent = self.cleaned_data.get("percent")
        return Fraction(percent) / 100 if percent is not None else Fraction(1)


class CounterForm(forms.Form):
    """A label's counter-notice. What it says goes to whoever demanded the takedown."""

    name = forms.CharField(label="Your name", max_length=200)
    contact = forms.CharField(
        label="Your address or e-mail", max_length=200, help_text="Whoever demanded it reads this, to answer you."
    )
    statement = forms.CharField(
        label="Why the notice is wrong", widget=area(6), max_length=5000,
        help_text="For instance who made the recording, when, and by what agreement the rights are yours.",
    )  # fmt: skip
    letter = AgreementField(label="What shows it (PDF)", required=False)
    sure = forms.BooleanField(
        label="I say this in good faith, and I know that a false statement makes me liable for what follows from it."
    )


class SayForm(forms.Form):
    """Something more to the case."""

    statement = forms.CharField(label="What you have to say", widget=area(4), max_length=5000)
    letter = AgreementField(label="A paper to it (PDF)", required=False)


class ClaimantForm(SayForm):
    """The claimant's answer, from the link in her letter."""

    what = forms.ChoiceField(
        label="Your answer",
        choices=[
            ("CONTEST", "I contest the counter-notice: I went to court, or show more proof"),
            ("WITHDRAWAL", "I give the demand up"),
            ("STATEMENT", "I add something"),
        ],
        widget=forms.RadioSelect,
    )
    field_order = ("what", "statement", "letter")

    def __init__(self, *args: Any, may_contest: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not may_contest:
            self.fields["what"].choices = self.fields["what"].choices[1:]  # type: ignore[attr-defined]


class DeskSayForm(SayForm):
    """What one side wrote to the desk by letter, kept with the case."""

    side = forms.ChoiceField(label="Who says it", choices=[("CLAIMANT", "The claimant"), ("LABEL", "The label"),
                                                           ("DESK", "The desk itself")])  # fmt: skip
    what = forms.ChoiceField(
        label="What it is",
        choices=[("STATEMENT", "A statement"), ("CONTEST", "The counter-notice is contested"),
                 ("WITHDRAWAL", "The demand is given up")],
    )  # fmt: skip
    name = forms.CharField(label="Their name", max_length=200)
    field_order = ("side", "what", "name", "statement", "letter")


class ReportForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the checker only
    """Somebody from outside says that something here is theirs. `website` is for robots; people never see it."""

    subject = SubjectField(label="What is it about")
    layer = forms.ChoiceField(label="Which right", choices=LAYERS, required=False)
    website = forms.CharField(
        label="Leave this empty", required=False,
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )  # fmt: skip
    good_faith = forms.BooleanField(
        label="What I say here is true, and I hold this right or act for whoever does.",
        error_messages={"required": "Without this we may not act on your report."},
    )

    class Meta:
        model = Demand
        fields = ("kind", "name", "email", "on_behalf_of", "statement")
        labels = {
            "kind": "What do you ask for",
            "name": "Your name",
            "email": "Your e-mail",
            "on_behalf_of": "On behalf of",
            "statement": "What is wrong",
        }
        help_texts = {
            "email": "We send you a letter first; nothing happens before you confirm from it.",
            "on_behalf_of": "The holder of the right, where that is somebody else.",
            "statement": "Say which right is yours and how it came to be: who made it, when, under what agreement. "
            "The label reads your name and this text, and may answer.",
        }
        widgets = {"statement": area(7)}

    field_order = ("subject", "kind", "layer", "statement", "name", "on_behalf_of", "email", "website", "good_faith")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            ("TAKEDOWN", "Stop selling it: it is here without leave"),
            ("DISPUTE", "I contest who owns it"),
        ]
        self.fields["statement"].max_length = 5000  # type: ignore[attr-defined]
        self.fields["statement"].widget.attrs["maxlength"] = "5000"
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        self.fields["email"].widget.attrs["autocomplete"] = "email"

    def clean_statement(self) -> str:
        said = str(self.cleaned_data["statement"])
        if len(said) > 5000:  # noqa: PLR2004 - as the field says
            raise forms.ValidationError("That is longer than 5,000 characters; send the rest as a letter.")
        return said

    @property
    def is_robot(self) -> bool:
        return bool(self.data.get("website"))


class ConfirmForm(forms.Form):
    """The report confirmed, with a paper where there is one."""

    letter = AgreementField(label="A paper that shows it (PDF)", required=False)


class RefuseDemandForm(forms.Form):
    reason = forms.CharField(label="Why nothing is taken down", max_length=2000, widget=area(3))


class RefundCaseForm(forms.Form):
    """An open refund case: give the whole line back, or say what was agreed."""

    whole = forms.TypedChoiceField(coerce=lambda value: value == "yes", choices=[("yes", "Yes"), ("no", "No")])
    note = forms.CharField(label="What was agreed", max_length=2000, required=False)
