"""What the reviewer's desk asks for, and what it refuses before any rule is called."""

from collections.abc import Sequence
from typing import Any

from django import forms

from store.forms import AgreementField
from store.models import SavedReason


class DecisionForm(forms.Form):
    """What the reviewer had before her when she decided: an approval holds for exactly these, or not at all."""

    evidence_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    sound_sha256 = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)


class SavedWordsField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One of the texts that reviewers keep, by its code; one that is retired meanwhile still says its words."""

    def __init__(self, kind: SavedReason.Kind, **options: Any) -> None:
        texts = SavedReason.objects.filter(kind=kind.value)
        super().__init__(texts, to_field_name="code", required=False, **options)


class RefusalForm(DecisionForm):
    """A refusal: a saved reason, words of one's own, or both; the label reads them. Nothing shown is no hindrance."""

    evidence_sha256 = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    saved = SavedWordsField(SavedReason.Kind.REFUSAL, label="Saved reason")
    reason = forms.CharField(
        label="In your own words", max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What is wrong, and what the label can do.",
    )  # fmt: skip
    keep = forms.BooleanField(label="Keep my own words for the next time", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not data.get("saved") and not data.get("reason", "").strip():
            self.add_error("reason", "A refusal needs its reason: the label reads it and must know what to do.")
        return data

    @property
    def own_words(self) -> str:
        return str(self.cleaned_data["reason"]).strip()

    @property
    def text(self) -> str:
        """The reason as it is kept."""
        saved = self.cleaned_data["saved"]
        return " ".join(part for part in (saved.text if saved else "", self.own_words) if part)


class QuestionForm(forms.Form):
    """What a reviewer wants to know before she decides."""

    text = forms.CharField(label="What do you want to know?", max_length=4000, widget=forms.Textarea(attrs={"rows": 4}))
    keep = forms.BooleanField(label="Keep this question for the next time", required=False)


class AnswerForm(forms.Form):
    """What the label answers, and a paper that shows it, where there is one."""

    text = forms.CharField(label="Your answer", max_length=4000, widget=forms.Textarea(attrs={"rows": 4}))
    paper = AgreementField(
        label="A paper that shows it (PDF)", required=False,
        help_text="It becomes evidence of the record, with its hash, and the reviewer sees it.",
    )  # fmt: skip


class TogetherForm(forms.Form):
    """One word for all records of an agreement that are ticked, each with what was shown of it."""

    outcome = forms.ChoiceField(choices=[("APPROVED", "Approve"), ("REFUSED", "Refuse")])
    reason = forms.CharField(max_length=2000, required=False)
    record = forms.MultipleChoiceField(
        error_messages={
            "required": "No record is ticked. Tick those that your word is for.",
            "invalid_choice": "One of these records no longer waits under this agreement. Look at the list again.",
        }
    )

    def __init__(self, *args: Any, shown: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["record"].choices = [(one, one) for one in shown]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("outcome") == "REFUSED" and not data.get("reason", "").strip():
            self.add_error("reason", "A refusal needs its reason: the labels read it and must know what to do.")
        return data


class SavedWordsForm(forms.Form):
    """Words that reviewers say again and again."""

    kind = forms.ChoiceField(label="What it is", choices=SavedReason.Kind)
    text = forms.CharField(label="Words", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
