"""What a reviewer does: approve, refuse, ask, decide together, keep words. Each act needs her second factor."""

from functools import wraps
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from licensing import reviews
from licensing.errors import LicensingError
from licensing.models import LicenceGrant
from store import access, bells, cases, saved_reasons
from store.cases import Filters
from store.errors import NotAllowed, SecondFactorMissing
from store.models import SavedReason, User
from store.records import Record
from store.review_forms import DecisionForm, QuestionForm, RefusalForm, SavedWordsForm, TogetherForm
from store.views import review_case
from store.views.review import P, ReviewerView, case_page, for_reviewer, page, record_of, second_factor


def with_second_factor(view: ReviewerView[P]) -> ReviewerView[P]:
    """Whoever lacks her second factor is led to where she sets it up or shows it, and told why."""

    @wraps(view)
    def inner(request: HttpRequest, reviewer: User, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            access.require_second_factor(request)
        except SecondFactorMissing as error:
            messages.warning(request, str(error))
            back = reverse("review-case", kwargs=dict(kwargs)) if "record_id" in kwargs else reverse("review")
            return redirect(f"{reverse(str(error.data['page']))}?{urlencode({'next': back})}")
        return view(request, reviewer, *args, **kwargs)

    return inner  # type: ignore[return-value]


@require_POST
@for_reviewer
@with_second_factor
def approve(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    form = DecisionForm(request.POST)
    record = record_of(record_id)
    if not form.is_valid():
        return case_page(request, reviewer, record, errors=("Look at the evidence first: it was not shown to you.",))
    changed = cases.changed_since(record.grant, **form.cleaned_data)
    if changed:
        return case_page(request, reviewer, record, errors=(changed,))
    place = _place(record.grant)
    at = timezone.now()
    cases.assess([record.grant], at=at)  # a price or a claim of this minute may ask for a second reviewer
    try:
        review = reviews.approve(
            record.grant,
            reviewer=_as_reviewer(reviewer),
            sound_sha256=form.cleaned_data["sound_sha256"],
            evidence_sha256=form.cleaned_data["evidence_sha256"],
            at=at,
        )
    except LicensingError as refusal:
        return case_page(request, reviewer, record, errors=(str(refusal),))
    bells.ring("store.tasks.review_offers")
    said = "is approved by you; another reviewer must say the same" if review.second_needed else "is approved"
    messages.success(request, f"{_called(record)} {said}.")
    return _on(request, place)


@require_POST
@for_reviewer
@with_second_factor
def refuse(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    form = RefusalForm(request.POST)
    record = record_of(record_id)
    if not form.is_valid():
        return case_page(request, reviewer, record, refusal_form=form)
    place = _place(record.grant)
    try:
        reviews.refuse(
            record.grant,
            reviewer=_as_reviewer(reviewer),
            sound_sha256=form.cleaned_data["sound_sha256"],
            reason=form.text,
            at=timezone.now(),
        )
    except LicensingError as refusal:
        return case_page(request, reviewer, record, errors=(str(refusal),))
    if form.cleaned_data["keep"]:
        _keep(request, form.own_words, SavedReason.Kind.REFUSAL, reviewer)
    messages.success(request, f"{_called(record)} is refused; the label reads why.")
    return _on(request, place)


@require_POST
@for_reviewer
@with_second_factor
def ask(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    form = QuestionForm(request.POST)
    record = record_of(record_id)
    if not form.is_valid():
        return case_page(request, reviewer, record, question_form=form)
    place = _place(record.grant)
    try:
        cases.ask(record.grant, reviewer=_as_reviewer(reviewer), text=form.cleaned_data["text"], at=timezone.now())
    except LicensingError as refusal:
        return case_page(request, reviewer, record, errors=(str(refusal),))
    if form.cleaned_data["keep"]:
        _keep(request, form.cleaned_data["text"], SavedReason.Kind.QUESTION, reviewer)
    messages.success(request, f"{_called(record)} waits for the label's answer, and comes back here with it.")
    return _on(request, place)


@require_POST
@for_reviewer
@with_second_factor
def together(request: HttpRequest, reviewer: User, record_id: UUID) -> HttpResponse:
    """All or nothing: one word for the ticked records of one agreement."""
    record = record_of(record_id)
    listed = {one.token: one for one in review_case.together(record, reviewer) if one.ready}
    form = TogetherForm(request.POST, shown=list(listed))
    if not form.is_valid():
        said = tuple(str(error) for errors in form.errors.values() for error in errors)
        return case_page(request, reviewer, record, errors=said)
    chosen = [listed[token] for token in form.cleaned_data["record"]]
    place = _place(record.grant)
    at = timezone.now()
    cases.assess([one.record.grant for one in chosen], at=at)
    try:
        made = reviews.decide_all(
            [one.record.grant for one in chosen],
            reviewer=_as_reviewer(reviewer),
            outcome=form.cleaned_data["outcome"],
            at=at,
            sounds={one.record.grant.pk: one.sound_sha256 for one in chosen},
            evidence={one.record.grant.pk: one.evidence_sha256 for one in chosen},
            reason=form.cleaned_data["reason"].strip(),
        )
    except LicensingError as refusal:
        return case_page(request, reviewer, record, errors=(str(refusal), "None of them was decided."))
    bells.ring("store.tasks.review_offers")
    word = "approved" if form.cleaned_data["outcome"] == "APPROVED" else "refused"
    waiting = sum(review.second_needed for review in made)
    more = f" {waiting} of them wait for a second reviewer." if waiting else ""
    messages.success(request, f"{len(made)} record{'' if len(made) == 1 else 's'} {word} in one act.{more}")
    return _on(request, place)


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewer
def words(request: HttpRequest, reviewer: User) -> HttpResponseBase:
    """The texts that reviewers keep: add one, retire one."""
    form = SavedWordsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _save_words(request, reviewer, form=form)
    return page(
        request, "words", form=form, refusals=cases.saved_reasons(SavedReason.Kind.REFUSAL),
        questions=cases.saved_reasons(SavedReason.Kind.QUESTION), status=422 if form.is_bound else 200,
        **second_factor(request),
    )  # fmt: skip


@with_second_factor
def _save_words(request: HttpRequest, reviewer: User, *, form: SavedWordsForm) -> HttpResponse:
    _keep(request, form.cleaned_data["text"], form.cleaned_data["kind"], reviewer)
    messages.success(request, "Kept. It stands in every reviewer's list from now on.")
    return redirect("review-words")


@require_POST
@for_reviewer
@with_second_factor
def retire_words(request: HttpRequest, reviewer: User, code: str) -> HttpResponse:  # noqa: ARG001 - a view
    saved_reasons.retire(get_object_or_404(SavedReason, code=code), at=timezone.now())
    messages.success(request, "Retired. What was said with it stays as it was said.")
    return redirect("review-words")


def _keep(request: HttpRequest, text: str, kind: str, reviewer: User) -> None:
    if not text.strip():
        return
    try:
        saved_reasons.save(text, kind=kind, actor=reviewer.actor)
    except NotAllowed as error:
        messages.warning(request, str(error))


def _called(record: Record) -> str:
    return f"“{record.subject_title}” ({record.layer_word.lower()})"


def _as_reviewer(user: User) -> reviews.Reviewer:
    return reviews.Reviewer(actor=user.actor, label_ids=frozenset(access.label_ids(user)))


def _place(grant: LicenceGrant) -> LicenceGrant:
    """The grant with its place in the queue, read while it still has one."""
    return LicenceGrant.objects.select_related("case").get(pk=grant.pk)


def _on(request: HttpRequest, decided: LicenceGrant) -> HttpResponse:
    """To the next case of the same queue, or back to the queue when it is done."""
    filters = Filters.read(request.GET)
    following = cases.following(decided, filters)
    kept = f"?{filters.kept}" if filters else ""
    where = reverse("review-case", args=[following.record_id]) if following else reverse("review")
    return redirect(where + kept)
