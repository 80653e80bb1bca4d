"""The reviewer's desk: what waits, one case with all that bears on it, and the decision. Only reviewers find it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from licensing import reviews
from licensing.errors import LicensingError
from licensing.models import Instrument, LicenceGrant, Review
from store import access, bells, cases, records
from store.cases import Sound
from store.errors import NotAllowed
from store.forms import DecisionForm, RefusalForm
from store.models import User
from store.records import Record
from store.templatetags.shop import countries_phrase, seconds_clock
from store.views.attachments import attachment
from store.views.media import ranged
from transcoding import formats, storage
from transcoding.models import Master, Rendition

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


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET[name] for name in ("label", "basis", "layer") if request.GET.get(name)}


@require_safe
@for_reviewer
def queue(request: HttpRequest, reviewer: User) -> HttpResponse:
    filters = _filters(request)
    waiting = cases.queue(**filters)
    paged = Paginator(waiting, PAGE).get_page(request.GET.get("page"))
    total, oldest = cases.waiting_since()
    return page(
        request, "queue", cases=cases.read_queue(paged.object_list, reviewer=reviewer), page=paged, total=total,
        oldest=oldest, options=cases.options(), filters=filters, kept=urlencode(filters),
    )  # fmt: skip


@require_safe
@for_reviewer
def decided(request: HttpRequest, reviewer: User) -> HttpResponse:  # noqa: ARG001 - a view
    rows = Review.objects.select_related("grant__recording", "grant__work").order_by("-pk")
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return page(request, "decided", reviews=cases.read_reviews(paged.object_list), page=paged)


def _record(record_id: UUID) -> Record:
    found = records.read(records.newest().filter(record_id=record_id))
    if not found:
        raise Http404("There is no such record.")
    return found[0]


@require_safe
@for_reviewer
def case(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    return _case_page(request, reviewer, _record(record_id))


def _case_page(
    request: HttpRequest,
    reviewer: User,
    record: Record,
    *,
    refusal_form: RefusalForm | None = None,
    errors: tuple[str, ...] = (),
) -> HttpResponse:
    """Everything on one screen; where a decision was refused, with the reason it was (422)."""
    filters = _filters(request)
    now = timezone.now()
    pieces, heard = records.evidence(record.grant), cases.sounds(record.grant)
    beside = _beside(record, filters)
    shown = {
        "evidence_sha256": cases.shown_evidence(pieces),
        "sound_sha256": cases.shown_sound(record.grant, heard),
    }
    why_not = cases.why_not(record, reviewer)
    return page(
        request,
        "case",
        record=record,
        artist=next((sound.artist for sound in heard), ""),
        claim=cases.claim(record),
        evidence=pieces,
        findings=cases.findings(record, pieces, heard),
        sounds=[_sound(sound) for sound in heard],
        history=records.history(record),
        layers=cases.layers(record, heard),
        outcomes=[_outcome(one) for one in cases.outcomes(record, heard, at=now)] if record.waits else (),
        may_decide=record.waits and not why_not,
        can_approve=cases.can_approve(record, pieces, heard),
        why_not=why_not,
        approve_form=DecisionForm(initial=shown),
        refusal_form=refusal_form or RefusalForm(initial=shown),
        errors=errors,
        kept=urlencode(filters),
        **beside,
        status=422 if errors or refusal_form else 200,
    )


def _beside(record: Record, filters: dict[str, str]) -> dict[str, Any]:
    """The queue around this record, and who comes before and after it."""
    waiting = cases.queue(**filters)
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


def _sound(sound: Sound) -> dict[str, Any]:
    master = sound.master
    return {
        "title": sound.recording.full_title,
        "facts": f"{seconds_clock(master.seconds)}, {master.codec}{'' if master.lossless else ', lossy'}"
        if master
        else "",
        "sha256": master.sound_sha256 if master else "",
        "master_url": reverse("review-sound", args=[master.public_id]) if master else "",
        "preview_url": reverse("review-preview", args=[sound.preview.public_id]) if sound.preview else "",
    }


def _outcome(outcome: cases.Outcome) -> dict[str, Any]:
    words = f"Cleared: {countries_phrase(outcome.countries)}" if outcome.countries else "Not cleared yet"
    reasons = [
        {"text": reason.text, "where": f"({countries_phrase(reason.countries)})" if outcome.countries else ""}
        for reason in outcome.reasons
    ]
    return {
        "title": outcome.title, "countries": outcome.countries, "words": words, "reasons": reasons,
        "regions": outcome.regions,
    }  # fmt: skip


@require_POST
@for_reviewer
def approve(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    form = DecisionForm(request.POST)
    record = _record(record_id)
    if not form.is_valid():
        return _case_page(request, reviewer, record, errors=("Look at the evidence first: it was not shown to you.",))
    changed = cases.changed_since(record.grant, **form.cleaned_data)
    if changed:
        return _case_page(request, reviewer, record, errors=(changed,))
    try:
        reviews.approve(
            record.grant,
            reviewer=_as_reviewer(reviewer),
            sound_sha256=form.cleaned_data["sound_sha256"],
            evidence_sha256=form.cleaned_data["evidence_sha256"],
            at=timezone.now(),
        )
    except LicensingError as refusal:
        return _case_page(request, reviewer, record, errors=(str(refusal),))
    bells.ring("store.tasks.review_offers")
    messages.success(request, f"“{record.subject_title}” ({record.layer_word.lower()}) is approved.")
    return _on(request, record.grant)


@require_POST
@for_reviewer
def refuse(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    form = RefusalForm(request.POST)
    record = _record(record_id)
    if not form.is_valid():
        return _case_page(request, reviewer, record, refusal_form=form)
    try:
        reviews.refuse(
            record.grant,
            reviewer=_as_reviewer(reviewer),
            sound_sha256=form.cleaned_data["sound_sha256"],
            reason=form.text,
            at=timezone.now(),
        )
    except LicensingError as refusal:
        return _case_page(request, reviewer, record, errors=(str(refusal),))
    messages.success(
        request, f"“{record.subject_title}” ({record.layer_word.lower()}) is refused; the label reads why."
    )
    return _on(request, record.grant)


def _as_reviewer(user: User) -> reviews.Reviewer:
    return reviews.Reviewer(actor=user.actor, label_ids=frozenset(access.label_ids(user)))


def _on(request: HttpRequest, decided: LicenceGrant) -> HttpResponse:
    """To the next case of the same queue, or back to the queue when it is done."""
    filters = _filters(request)
    waiting = cases.queue(**filters)
    following = waiting.filter(~cases.older_than(decided)).first() or waiting.first()
    kept = f"?{urlencode(filters)}" if filters else ""
    where = reverse("review-case", args=[following.record_id]) if following else reverse("review")
    return redirect(where + kept)


@require_safe
@for_reviewer
def evidence(request: HttpRequest, reviewer: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    return attachment(get_object_or_404(Instrument, public_id=public_id))


@require_safe
@for_reviewer
def sound(request: HttpRequest, reviewer: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    """A whole master, for the reviewer's ears."""
    master = get_object_or_404(Master, public_id=public_id, state=Master.State.ACCEPTED)
    return _private(
        ranged(
            request,
            lambda start, end: storage.open_range(master.storage_key, start, end),
            size=master.bytes,
            etag=master.file_sha256,
            media_type=formats.media_type(formats.get("ORIGINAL"), master),
        )
    )


@require_safe
@for_reviewer
def preview(request: HttpRequest, reviewer: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    """A preview, whether or not the recording is on sale."""
    made = get_object_or_404(
        Rendition, public_id=public_id, purpose=Rendition.Purpose.PREVIEW, state=Rendition.State.READY
    )
    return _private(
        ranged(
            request,
            lambda start, end: storage.open_range(made.storage_key, start, end),
            size=made.bytes,
            etag=made.sha256,
            media_type=formats.get(made.format).media_type,
        )
    )


def _private(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "private, no-store"
    return response
