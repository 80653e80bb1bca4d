"""The label's licence records: what stands on file, its evidence, a new direct grant, the end of one."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import codes
from catalog.models import Party, Recording
from licensing import grants
from licensing.errors import LicensingError
from licensing.models import Instrument, LicenceGrant
from store import cases, declarations, records, submissions
from store.forms import DeclareForm, EndGrantForm
from store.records import Record
from store.review_forms import AnswerForm
from store.views.attachments import attachment
from store.views.review_case import papers
from store.views.studio import actor, declaration, for_label, page, sent

PAGE = 50
SHOWN = (
    ("all", "All"),
    ("waiting", "In review"),
    ("approved", "Approved"),
    ("refused", "Refused"),
    ("over", "Over"),
)
MOST_LISTED = 200


@require_safe
@for_label
def rights(request: HttpRequest, label: Party) -> HttpResponse:
    """A page of the label's records; states are worked out and not stored, so the database counts them by group."""
    at = timezone.now()
    query = request.GET.get("q", "").strip()[:200]
    found = _found(label, query)
    counts = records.count_groups(found, at=at)
    show = request.GET.get("show", "all")
    show = show if show in dict(SHOWN) else "all"
    counts["all"] = sum(counts.values())
    chips = [{"code": code, "word": word, "count": counts.get(code, 0)} for code, word in SHOWN]
    wanted = found if show == "all" else records.in_groups(found, show, at=at)
    paged = _Pages(wanted.order_by("-created_at", "-pk"), counts.get(show, 0)).get_page(request.GET.get("page"))
    return page(
        request, "rights", label=label, place="rights", counts=counts, chips=chips, show=show, q=query,
        records=records.read(list(paged.object_list), at=at), page=paged,
        query_kept=urlencode({"show": show, "q": query} if query else {"show": show}),
    )  # fmt: skip


def _found(label: Party, query: str) -> QuerySet[LicenceGrant]:
    """The label's records, or those about a title, an ISRC or ISWC, a licensor or an agreement's number."""
    found = records.of_label(label)
    if not query:
        return found
    bare = query.replace("-", "").replace(".", "").replace(" ", "").upper()
    return found.filter(
        Q(recording__title__icontains=query)
        | Q(work__title__icontains=query)
        | Q(recording__isrc=bare)
        | Q(work__iswc=bare)
        | Q(agreement__iexact=query)
        | Q(licensor__party__name__icontains=query)
    )


class _Pages(Paginator):  # type: ignore[type-arg]
    """Pages of rows whose number is known already, so that it is not counted again."""

    def __init__(self, rows: QuerySet[LicenceGrant], number: int) -> None:
        super().__init__(rows, PAGE)
        self.number = number

    @property
    def count(self) -> int:
        return self.number


def record_of(label: Party, record_id: UUID) -> Record:
    found = records.read(records.of_label(label).filter(record_id=record_id))
    if not found:
        raise Http404("There is no such record of this label.")
    return found[0]


@require_safe
@for_label
def record(request: HttpRequest, label: Party, record_id: UUID) -> HttpResponse:
    return record_page(request, label, record_of(label, record_id))


def record_page(
    request: HttpRequest,
    label: Party,
    found: Record,
    *,
    end_form: EndGrantForm | None = None,
    answer_form: AnswerForm | None = None,
) -> HttpResponse:
    thread = cases.thread(found, label=label)
    return page(
        request, "record", label=label, place="rights", record=found,
        own=submissions.is_own(label, found.grant), evidence=papers(records.evidence(found.grant)),
        history=records.history(found), thread=thread,
        answering=next((one.question_id for one in thread if one.open), None),
        end_form=end_form or EndGrantForm(), answer_form=answer_form or AnswerForm(),
        status=422 if end_form or answer_form else 200,
    )  # fmt: skip


@require_POST
@for_label
def end_record(request: HttpRequest, label: Party, record_id: UUID) -> HttpResponse:
    found = record_of(label, record_id)
    if not submissions.is_own(label, found.grant):
        raise Http404("There is no such record of this label.")
    form = EndGrantForm(request.POST)
    if form.is_valid():
        try:
            grants.end_grant(found.grant, reason=form.cleaned_data["reason"], actor=actor(request), at=timezone.now())
        except LicensingError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The grant has ended. What rested on it goes off sale now.")
            return redirect("studio-record", label.slug, record_id)
    return record_page(request, label, found, end_form=form)


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
    query = request.GET.get("q", "").strip()[:200]
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
    shown = mine.filter(title__icontains=query) if query else mine
    if wanted:
        shown = shown | mine.filter(public_id__in=[one for one in wanted if codes.is_public_id(one)])
    listed = list(shown[:MOST_LISTED])
    chosen = (
        {int(key) for key in request.POST.getlist("recordings") if key.isdigit()}
        if form.is_bound
        else {recording.pk for recording in listed if str(recording.public_id) in wanted}
    )
    return page(
        request, "declare", label=label, place="rights", form=form, recordings=listed, chosen=chosen, q=query,
        more=len(listed) == MOST_LISTED,
        status=422 if form.is_bound else 200,
    )  # fmt: skip
