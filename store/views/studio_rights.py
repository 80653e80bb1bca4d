"""The label's licence records: what stands on file, its evidence, a new direct grant, the end of one."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.models import Party, Recording
from licensing import grants
from licensing.errors import LicensingError
from licensing.models import Instrument
from store import declarations, records
from store.forms import DeclareForm, EndGrantForm
from store.records import Record
from store.views.attachments import attachment
from store.views.studio import actor, declaration, for_label, page, sent

PAGE = 50
SHOWN = (
    ("all", "All", {*records.STATES}),
    ("waiting", "In review", {"SUBMITTED"}),
    ("approved", "Approved", {"APPROVED"}),
    ("refused", "Refused", {"REFUSED"}),
    ("over", "Over", {"REVOKED", "SUSPENDED", "EXPIRED"}),
)


@require_safe
@for_label
def rights(request: HttpRequest, label: Party) -> HttpResponse:
    """All records of the label; a record's state is worked out and not stored, so all are read to count them."""
    found = records.read(records.of_label(label).order_by("-created_at", "-pk"))
    show = request.GET.get("show", "all")
    wanted = next((states for code, _, states in SHOWN if code == show), SHOWN[0][2])
    chips = [
        {"code": code, "word": word, "count": sum(record.state in states for record in found)}
        for code, word, states in SHOWN
    ]
    paged = Paginator([record for record in found if record.state in wanted], PAGE).get_page(request.GET.get("page"))
    return page(
        request, "rights", label=label, place="rights", counts={"all": len(found)}, chips=chips, show=show,
        records=paged.object_list, page=paged, query_kept=f"show={show}",
    )  # fmt: skip


def _record(label: Party, record_id: UUID) -> Record:
    found = records.read(records.of_label(label).filter(record_id=record_id))
    if not found:
        raise Http404("There is no such record of this label.")
    return found[0]


@require_safe
@for_label
def record(request: HttpRequest, label: Party, record_id: UUID) -> HttpResponse:
    return _record_page(request, label, _record(label, record_id))


def _record_page(
    request: HttpRequest, label: Party, found: Record, *, end_form: EndGrantForm | None = None
) -> HttpResponse:
    return page(
        request, "record", label=label, place="rights", record=found, evidence=records.evidence(found.grant),
        history=records.history(found), end_form=end_form or EndGrantForm(), status=422 if end_form else 200,
    )  # fmt: skip


@require_POST
@for_label
def end_record(request: HttpRequest, label: Party, record_id: UUID) -> HttpResponse:
    found = _record(label, record_id)
    form = EndGrantForm(request.POST)
    if form.is_valid():
        try:
            grants.end_grant(found.grant, reason=form.cleaned_data["reason"], actor=actor(request), at=timezone.now())
        except LicensingError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The grant has ended. What rested on it goes off sale now.")
            return redirect("studio-record", label.slug, record_id)
    return _record_page(request, label, found, end_form=form)


@require_safe
@for_label
def evidence(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    """An attachment of one of the label's own records."""
    mine = records.of_label(label).filter(evidence__public_id=public_id)
    return attachment(get_object_or_404(Instrument.objects.filter(grants__in=mine).distinct(), public_id=public_id))


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def declare(request: HttpRequest, label: Party) -> HttpResponse:
    """A direct grant for recordings that are here already; a reviewer decides before anything is sold on it."""
    mine = Recording.objects.filter(label=label).order_by("title", "pk")
    wanted = request.GET.getlist("recording")
    form = DeclareForm(*sent(request), recordings=mine)
    if request.method == "POST" and form.is_valid():
        try:
            made = declarations.declare(
                form.cleaned_data["recordings"],
                label=label,
                declaration=declaration(form.cleaned_data),
                actor=actor(request),
            )
        except LicensingError as refusal:
            form.add_error(None, str(refusal))
        else:
            count = f"{len(made)} record{'' if len(made) == 1 else 's'}"
            said = (
                f"{count} handed in. A reviewer looks at the agreement now."
                if made
                else "You have granted this before."
            )
            messages.success(request, said)
            return redirect("studio-rights", label.slug)
    listed = list(mine)
    chosen = (
        {int(key) for key in request.POST.getlist("recordings") if key.isdigit()}
        if form.is_bound
        else {recording.pk for recording in listed if str(recording.public_id) in wanted}
    )
    return page(
        request, "declare", label=label, place="rights", form=form, recordings=listed, chosen=chosen,
        status=422 if form.is_bound else 200,
    )  # fmt: skip
