"""The reviewer's desk: what waits, one case with all that bears on it, and what was decided. Only reviewers find it."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from licensing.models import Instrument, Review
from store import access, cases, records
from store.cases import Filters
from store.errors import NotAllowed, SecondFactorMissing
from store.models import SavedReason, User
from store.records import Record
from store.review_forms import DecisionForm, QuestionForm, RefusalForm
from store.views import review_case
from store.views.attachments import attachment
from store.views.media import ranged
from transcoding import formats, storage

PAGE = 50
BESIDE = 60  # records in the list beside a case

P = ParamSpec("P")
ReviewerView = Callable[Concatenate[HttpRequest, User, P], HttpResponseBase]


def for_reviewer(view: ReviewerView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Only reviewers; for anybody else signed in there is no such page."""

    @never_cache
    @login_required
    @wraps(view)
    def inner(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            reviewer = access.require_reviewer(request.user)
        except NotAllowed as error:
            raise Http404(str(error)) from error
        return view(request, reviewer, *args, **kwargs)

    return inner  # type: ignore[return-value]


def page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    staff = isinstance(request.user, User) and request.user.is_staff
    return render(request, f"review/{name}.html", {"may_notice": staff, **context}, status=status)


def second_factor(request: HttpRequest) -> dict[str, Any]:
    """What this reviewer still lacks before she may decide, said before she has read a case in vain."""
    try:
        access.require_second_factor(request)
    except SecondFactorMissing as error:
        page_name = str(error.data["page"])
        return {
            "second_factor_why": str(error),
            "second_factor_word": "Set it up" if page_name == "mfa_index" else "Show it now",
            "second_factor_url": f"{reverse(page_name)}?{urlencode({'next': request.get_full_path()})}",
        }
    return {}


@require_safe
@for_reviewer
def queue(request: HttpRequest, reviewer: User) -> HttpResponse:
    filters = Filters.read(request.GET)
    paged = Paginator(cases.queue(filters), PAGE).get_page(request.GET.get("page"))
    total, oldest = cases.waiting_since()
    options = cases.options()
    return page(
        request, "queue", cases=cases.read_queue(paged.object_list, reviewer=reviewer), page=paged, total=total,
        oldest=oldest, filters=filters, kept=filters.kept, chips=_chips(filters, options, total),
        selects=_selects(filters, options), **second_factor(request),
    )  # fmt: skip


def _chips(filters: Filters, options: Mapping[str, Any], total: int) -> list[dict[str, object]]:
    """The states of what waits, each with its number, beside everything."""
    sent = {name: value for name, value in vars(filters).items() if value and name != "state"}
    every = [{"code": "", "word": "Everything", "count": total}, *options["states"]]
    return [
        {
            **one,
            "here": one["code"] == filters.state,
            "query": urlencode(sent | ({"state": one["code"]} if one["code"] else {})),
        }
        for one in every
    ]


def _selects(filters: Filters, options: Mapping[str, Any]) -> list[dict[str, object]]:
    """The other filters, each with its number."""
    labels = [{"code": one["slug"], "word": one["name"], "count": one["count"]} for one in options["labels"]]
    rows = (
        ("label", "Label", "All labels", labels),
        ("basis", "Rests on", "Anything", options["bases"]),
        ("layer", "Layer", "Both", options["layers"]),
        ("risk", "Look at", "Anything", options["risks"]),
    )
    return [
        {
            "name": name,
            "label": label,
            "any": every,
            "options": [{**one, "here": one["code"] == getattr(filters, name)} for one in found],
        }
        for name, label, every, found in rows
    ]


@require_safe
@for_reviewer
def decided(request: HttpRequest, reviewer: User) -> HttpResponse:  # noqa: ARG001 - a view
    rows = Review.objects.select_related("grant__recording", "grant__work", "grant__catalogue").order_by("-pk")
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return page(request, "decided", reviews=cases.read_reviews(paged.object_list), page=paged)


def record_of(record_id: UUID) -> Record:
    """The newest version of a record, or 404."""
    found = records.read(records.newest().filter(record_id=record_id))
    if not found:
        raise Http404("There is no such record.")
    return found[0]


@require_safe
@for_reviewer
def case(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    return case_page(request, reviewer, record_of(record_id))


def case_page(
    request: HttpRequest,
    reviewer: User,
    record: Record,
    *,
    refusal_form: RefusalForm | None = None,
    question_form: QuestionForm | None = None,
    errors: tuple[str, ...] = (),
) -> HttpResponse:
    """Everything on one screen; where an act was refused, with the reason it was (422)."""
    filters = Filters.read(request.GET)
    pieces, heard = records.evidence(record.grant), cases.sounds(record.grant)
    known = cases.grounds(heard, at=timezone.now())
    why_not = cases.why_not(record, reviewer)
    shown = {
        "evidence_sha256": cases.shown_evidence(pieces),
        "sound_sha256": cases.shown_sound(record.grant, heard),
    }
    rows = cases.read_queue(cases.queue().filter(pk=record.grant.pk), reviewer=reviewer) if record.waits else []
    waiting = rows[0] if rows else None
    return page(
        request,
        "case",
        record=record,
        waiting=waiting,
        artist=next((sound.artist for sound in heard), ""),
        claim=cases.claim(record),
        evidence=review_case.papers(pieces),
        findings=cases.findings(record, pieces, heard),
        sounds=[review_case.strip(record, sound) for sound in heard],
        rivals=cases.rivals(record),
        changes=cases.changes(record),
        before_version=record.version - 1,
        thread=cases.thread(record),
        history=records.history(record),
        layers=cases.layers(record, known),
        outcomes=review_case.outcomes(record, heard, known),
        world=review_case.world(record, heard, known),
        may_decide=record.waits and not why_not,
        can_approve=cases.can_approve(record, pieces, heard),
        cannot=review_case.cannot(record, pieces, heard),
        why_not=why_not,
        approve_form=DecisionForm(initial=shown),
        refusal_form=refusal_form or RefusalForm(initial=shown),
        question_form=question_form or QuestionForm(),
        refusals=cases.saved_reasons(SavedReason.Kind.REFUSAL),
        questions=cases.saved_reasons(SavedReason.Kind.QUESTION),
        together=review_case.together(record, reviewer) if record.waits else (),
        errors=errors,
        kept=filters.kept,
        **second_factor(request),
        **_beside(record, filters),
        status=422 if errors or refusal_form or question_form else 200,
    )


def _beside(record: Record, filters: Filters) -> dict[str, Any]:
    """The queue around this record, and who comes before and after it."""
    waiting = cases.queue(filters)
    total = waiting.count()
    before = waiting.filter(cases.older_than(record.grant)).count()
    start = max(0, before - BESIDE // 2)
    listed = records.read(waiting[start : start + BESIDE])
    keys = [one.record_id for one in listed]
    here = keys.index(record.record_id) if record.record_id in keys else before - start - 1
    following = here + 1
    return {
        "queue": listed,
        "total": total,
        "place": before + 1 if record.waits else 0,
        "previous": keys[here - 1] if here > 0 else None,
        "next": keys[following] if following < len(keys) else None,
    }


@require_safe
@for_reviewer
def evidence(request: HttpRequest, reviewer: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    return attachment(get_object_or_404(Instrument, public_id=public_id))


@require_safe
@for_reviewer
def sound(request: HttpRequest, reviewer: User, record_id: UUID, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001
    """A whole master that the record is about, for the reviewer's ears."""
    master = cases.master_of(record_of(record_id).grant, public_id)
    if master is None:
        raise Http404("This record is about no such sound.")
    media_type = review_case.master_type(master)
    return _heard(request, master.storage_key, size=master.bytes, sha256=master.file_sha256, media_type=media_type)


@require_safe
@for_reviewer
def copy(request: HttpRequest, reviewer: User, record_id: UUID, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001
    """What is heard in a master's stead, whether or not anybody else may hear it."""
    made = cases.copy_of(record_of(record_id).grant, public_id)
    if made is None:
        raise Http404("This record is about no such sound.")
    media_type = formats.get(made.format).media_type
    return _heard(request, made.storage_key, size=made.bytes, sha256=made.sha256, media_type=media_type)


def _heard(request: HttpRequest, key: str, *, size: int, sha256: str, media_type: str) -> HttpResponseBase:
    response = ranged(
        request,
        lambda start, end: storage.open_range(key, start, end),
        size=size,
        etag=sha256,
        media_type=media_type,
    )
    response["Cache-Control"] = "private, no-store"
    return response
