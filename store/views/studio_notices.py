"""What somebody demanded of a label's music, what the label may answer and until when, and what came of it."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from catalog.models import Party
from licensing.errors import LicensingError
from licensing.models import Instrument, Notice
from licensing.notice_rules import Side, StepKind
from store import disputes, notice_desk
from store.errors import StoreError
from store.notice_forms import CounterForm, SayForm
from store.views.attachments import attachment
from store.views.review_notices import letter
from store.views.studio import actor, for_label, page, sent

PAGE = 50


@require_safe
@for_label
def notices(request: HttpRequest, label: Party) -> HttpResponse:
    paged = Paginator(notice_desk.of_label(label).distinct(), PAGE).get_page(request.GET.get("page"))
    rows = Notice.objects.filter(pk__in=[row.pk for row in paged.object_list]).order_by("-pk")
    return page(
        request, "notices", label=label, place="notices", cases=notice_desk.read(rows, at=timezone.now()), page=paged,
        held=disputes.of_label(label),
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def notice(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """One case: all that was said, and the label's answer: first a counter-notice, later what it has to add."""
    found = notice_desk.case(_notice(label, public_id), at=timezone.now())
    form = (CounterForm if found.answerable else SayForm)(*sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            _answer(request, label, found, form)
        except (LicensingError, StoreError) as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Your answer is kept with the case, and goes to whoever demanded it.")
            return redirect("studio-notice", label.slug, public_id)
    return page(
        request, "notice", label=label, place="notices", case=found, notice=found.notice, form=form,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


@require_safe
@for_label
def paper(request: HttpRequest, label: Party, public_id: UUID, paper: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    """A paper of the case, as an attachment."""
    found = notice_desk.case(_notice(label, public_id), at=timezone.now())
    if not any(event.paper and event.paper.public_id == paper for event in found.events):
        raise Http404("There is no such paper in this case.")
    return attachment(get_object_or_404(Instrument, public_id=paper))


def _notice(label: Party, public_id: UUID) -> Notice:
    return get_object_or_404(notice_desk.of_label(label).distinct(), public_id=public_id)


def _answer(request: HttpRequest, label: Party, found: notice_desk.Case, form: CounterForm | SayForm) -> None:
    data, who = form.cleaned_data, actor(request)
    paper = letter(data["letter"], actor=who)
    if isinstance(form, CounterForm):
        notice_desk.counter(
            found.notice, name=f"{data['name']}, {label.name}"[:200], contact=data["contact"],
            statement=data["statement"], instrument=paper, actor=who, at=timezone.now(),
        )  # fmt: skip
        return
    notice_desk.reply(
        found.notice, what=StepKind.STATEMENT, side=Side.LABEL, name=label.name, statement=data["statement"],
        instrument=paper, actor=who, at=timezone.now(),
    )  # fmt: skip
