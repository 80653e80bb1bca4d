"""Works in the studio: writers, publishers, shares and societies."""

from fractions import Fraction
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from catalog import works
from catalog.codes import IPI, ISWC
from catalog.errors import CatalogError, CodeError
from catalog.models import TITLE_LENGTH, Party, SocietyRight, Work, WorkRole, WorkShare
from licensing.territories import TerritorySet
from store import composition, submissions
from store.composition import Said
from store.errors import RecordRefused
from store.forms import TermsForm
from store.record_fields import ShareField, share_text
from store.views.studio import actor, for_label, page

MORE_LINES = 3
NOTHING = Fraction(0)


class ShareLineForm(forms.Form):
    """One writer or publisher; a line without a name says nothing."""

    name = forms.CharField(label="Name", max_length=TITLE_LENGTH, required=False)
    ipi = forms.CharField(label="IPI", max_length=20, required=False)
    role = forms.ChoiceField(
        label="Role", choices=[(role.value, role.label.capitalize()) for role in WorkRole], initial=WorkRole.COMPOSER
    )
    mechanical = ShareField(label="Mechanical", required=False)
    performing = ShareField(label="Performing", required=False)
    published_by = forms.CharField(label="Publisher", max_length=TITLE_LENGTH, required=False)

    def clean_ipi(self) -> str:
        text: str = self.cleaned_data["ipi"].strip()
        try:
            return IPI.parse(text).text if text else ""
        except CodeError as refusal:
            raise forms.ValidationError(str(refusal), code=refusal.code) from None


class ShareLinesFormSet(forms.BaseFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        """A publisher that a writer names must stand on a line of its own."""
        named = {(form.cleaned_data.get("name") or "").strip().casefold() for form in self.forms if form.is_valid()}
        for form in self.forms:
            publisher = form.cleaned_data.get("published_by", "").strip() if form.is_valid() else ""
            if publisher and publisher.casefold() not in named:
                form.add_error("published_by", "Give this publisher a line of its own.")

    def said(self) -> list[Said]:
        return [
            Said(
                name=data["name"].strip(),
                ipi=data["ipi"],
                role=data["role"],
                mechanical=data["mechanical"] or NOTHING,
                performing=data["performing"] or NOTHING,
                published_by=data["published_by"].strip(),
            )
            for data in (form.cleaned_data for form in self.forms)
            if (data.get("name") or "").strip()
        ]


ShareLines: Any = forms.formset_factory(ShareLineForm, formset=ShareLinesFormSet, extra=MORE_LINES, max_num=60)


class WorkForm(forms.Form):
    title = forms.CharField(label="Title", max_length=TITLE_LENGTH)
    iswc = forms.CharField(label="ISWC", max_length=20, required=False, help_text="Such as T-034.524.680-1.")

    def clean_iswc(self) -> str:
        text: str = self.cleaned_data["iswc"].strip()
        try:
            return ISWC.parse(text).text if text else ""
        except CodeError as refusal:
            raise forms.ValidationError(str(refusal), code=refusal.code) from None


class MandateForm(TermsForm):
    """A party's mandate to a collecting society."""

    party = forms.ChoiceField(label="Who")
    society = forms.CharField(label="Society", max_length=200)
    right = forms.ChoiceField(
        label="Right", choices=[(right.value, right.label.capitalize()) for right in SocietyRight]
    )
    online_excluded = forms.BooleanField(label="The member keeps the right for sales online", required=False)

    field_order = ("party", "society", "right", "where", "countries", "starts_on", "ends_on", "online_excluded")

    def __init__(self, *args: Any, members: list[Party], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["party"].choices = [(str(one.public_id), one.name) for one in members]  # type: ignore[attr-defined]


def _work(label: Party, public_id: UUID) -> Work:
    found: Work | None = submissions.works_of(label).filter(public_id=public_id).first()
    if found is None:
        raise Http404("There is no such work in this label's recordings.")
    return found


def _lines(shares: list[WorkShare]) -> list[dict[str, Any]]:
    return [
        {
            "name": share.party.name,
            "ipi": share.party.ipi,
            "role": share.role,
            "mechanical": share_text(share.mechanical) if share.mechanical else "",
            "performing": share_text(share.performing) if share.performing else "",
            "published_by": share.published_by.party.name if share.published_by else "",
        }
        for share in shares
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def work(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """One work: its title and code, its lines, and the societies of those on them."""
    found = _work(label, public_id)
    shares = list(found.shares.select_related("party", "published_by__party").order_by("pk"))
    own = composition.may_state(label, found)
    posted = request.POST if request.method == "POST" else None
    form = WorkForm(posted, initial={"title": found.title, "iswc": ISWC(found.iswc).printed if found.iswc else ""})
    lines = ShareLines(posted, initial=_lines(shares), prefix="line")
    refused = ""
    if posted is not None and own and form.is_valid() and lines.is_valid():
        try:
            composition.state_work(label, found, lines.said(), actor=actor(request), **form.cleaned_data)
        except (CatalogError, RecordRefused) as refusal:
            refused = str(refusal)
        else:
            messages.success(request, "Kept. What rests on this work is looked at again.")
            return redirect("studio-work", label.slug, public_id)
    members = list({share.party_id: share.party for share in shares}.values())
    return _work_page(request, label, found, form=form, lines=lines, members=members, own=own, refused=refused)


def _work_page(
    request: HttpRequest,
    label: Party,
    found: Work,
    *,
    members: list[Party],
    own: bool,
    refused: str = "",
    mandate: MandateForm | None = None,
    form: WorkForm | None = None,
    lines: Any = None,
) -> HttpResponse:
    shares = list(found.shares.select_related("party", "published_by__party").order_by("pk"))
    mandates = [each for several in works.memberships_of([one.pk for one in members]).values() for each in several]
    names = {one.pk: one.name for one in members}
    rows = [
        {
            "party": names[one.party_id],
            "society": one.society.name,
            "right": one.get_right_display(),
            "where": str(TerritorySet(one.territory_mode, frozenset(one.territories))),
            "since": one.joined_on,
            "until": one.left_on,
            "online_excluded": one.online_excluded,
        }
        for one in mandates
    ]
    bad = bool(refused) or any(each is not None and each.is_bound for each in (form, mandate))
    return page(
        request, "work", label=label, place="rights", work=found, own=own, refused=refused, mandates=rows,
        form=form or WorkForm(initial={"title": found.title, "iswc": found.iswc or ""}),
        lines=lines or ShareLines(initial=_lines(shares), prefix="line"),
        mandate=mandate or MandateForm(members=members), members=members, status=422 if bad else 200,
    )  # fmt: skip


@require_POST
@for_label
def join_society(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = _work(label, public_id)
    shares = found.shares.select_related("party").order_by("pk")
    members = list({share.party_id: share.party for share in shares}.values())
    form = MandateForm(request.POST, members=members)
    if form.is_valid():
        data = form.cleaned_data
        party = next(one for one in members if str(one.public_id) == data["party"])
        try:
            composition.join_society(
                label, found, party, society=data["society"], right=data["right"],
                territories=TerritorySet.parse(data["territory_mode"], data["territories"]),
                joined_on=data["starts_on"], left_on=data["ends_on"], online_excluded=data["online_excluded"],
            )  # fmt: skip
        except (CatalogError, RecordRefused) as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"Noted: {party} and {data['society']}.")
            return redirect("studio-work", label.slug, public_id)
    own = composition.may_state(label, found)
    return _work_page(request, label, found, members=members, own=own, mandate=form)
