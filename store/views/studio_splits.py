"""Splits in the studio: who is paid for all of a label's music, for one release, or for one recording."""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from catalog.models import Party, Recording, Release
from store import advances, directions, owed, pricing
from store.directions import Scope
from store.errors import ContractRefused, LetterRefused, StoreError
from store.models import LetterOfDirection, Offer
from store.split_forms import LAYER_CHOICES, AdvanceForm, EndLetterForm, SplitForm, SplitFormSet
from store.templatetags.shop import country_name
from store.views.splits import before_paying, parts
from store.views.studio import CURRENCY, actor, for_label, page, sent
from store.views.studio_settings import is_owner
from store.views.visitor import country_of

LAYER_WORDS = dict(LAYER_CHOICES)
MORE_ROWS = 3


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def splits(request: HttpRequest, label: Party, kind: str = "", public_id: UUID | None = None) -> HttpResponse:
    """The letters of one scope, and a form for the split that follows; a preview signs nothing."""
    scope, title = _scope(label, kind, public_id)
    owner, known = is_owner(request, label), owed.payees(label)
    standing = _standing(label, scope)
    rows = SplitFormSet(_data(request), initial=_initial(standing), form_kwargs={"payees": known})
    form = SplitForm(sent(request)[0], initial={"starts_on": timezone.now().date()})
    context: dict[str, Any] = {}
    do = request.POST.get("do", "")
    if do and not owner:
        raise Http404("Only an owner signs splits.")
    if do in {"preview", "sign"} and rows.is_valid() and form.is_valid():
        named = [one for each in rows if (one := each.read()) is not None]
        asked = {**form.cleaned_data, "parts": named, "currency": CURRENCY, "scope": scope}
        try:
            if do == "sign":
                owed.sign_split(label, **asked)
                messages.success(request, "The split is signed. It holds for every sale from its first day on.")
                return redirect(request.path)
            context = _preview(request, label, scope, asked)
        except LetterRefused as refusal:
            form.add_error(None, str(refusal))
    return page(
        request, "splits", label=label, place="money", title=title, scope=scope, is_owner=owner, rows=rows, form=form,
        letters=_letters(standing), waits=_waits(standing), own=_own(label) if not kind else (),
        end_form=EndLetterForm(initial={"until": timezone.now().date()}, auto_id=False),
        status=422 if do in {"preview", "sign"} and not context else 200, **context,
    )  # fmt: skip


@require_POST
@for_label
def end_letter(request: HttpRequest, label: Party, key: int) -> HttpResponse:
    letter = owed.letters(label).filter(pk=key).first()
    if letter is None or not is_owner(request, label):
        raise Http404("The label signed no such letter.")
    form = EndLetterForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give the first day on which the letter no longer holds, such as 2027-01-01.")
        return redirect(_address(label, letter))
    try:
        ended = owed.end_letter(label, key, until=form.cleaned_data["until"])
    except LetterRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{ended.payee} is paid by this letter until {ended.until}.")
    return redirect(_address(label, letter))


@require_POST
@for_label
def name_payee(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """Keep whether a payee agrees to be named to buyers."""
    payee = next((one for one in owed.payees(label) if one.public_id == public_id), None)
    if payee is None or not is_owner(request, label):
        raise Http404("The label names no such payee.")
    agreed = request.POST.get("agreed") == "yes"
    owed.name_in_public(label, payee, agreed=agreed)
    word = "is named" if agreed else "is not named"
    messages.success(request, f"{payee.name} {word} to buyers from now on.")
    return redirect("studio-payees", label.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def show_advances(request: HttpRequest, label: Party) -> HttpResponse:
    """What was given ahead, and how much of it has come back."""
    owner, known = is_owner(request, label), owed.payees(label)
    initial = {"given_on": timezone.now().date()}
    form = AdvanceForm(sent(request)[0], initial=initial, payees=known, currency=CURRENCY)
    if request.method == "POST":
        if not owner:
            raise Http404("Only an owner records advances.")
        if form.is_valid() and _given(request, form, label):
            messages.success(request, "The advance is recorded. It is kept from what the payee earns from now on.")
            return redirect("studio-advances", label.slug)
    return page(
        request, "advances", label=label, place="money", advances=advances.of_label(label), form=form, is_owner=owner,
        enough=len(known) > 1, status=422 if form.is_bound else 200,
    )  # fmt: skip


def _given(request: HttpRequest, form: AdvanceForm, label: Party) -> bool:
    data = dict(form.cleaned_data)
    data |= {name: form.known[data[name]] for name in ("payee", "repaid_to")}
    try:
        advances.give(label, **data, actor=actor(request), at=timezone.now())
    except ContractRefused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _scope(label: Party, kind: str, public_id: UUID | None) -> tuple[Scope, str]:
    if kind == "release":
        release = get_object_or_404(Release, label=label, public_id=public_id)
        return Scope(release=release), release.title
    if kind == "recording":
        recording = get_object_or_404(Recording, label=label, public_id=public_id)
        return Scope(recording=recording), recording.title
    if kind:
        raise Http404("A split is for a release, for a recording, or for everything.")
    return directions.ALL, ""


def _standing(label: Party, scope: Scope) -> list[LetterOfDirection]:
    return list(owed.letters(label).filter(release=scope.release, recording=scope.recording))


def _data(request: HttpRequest) -> Any:
    """What was sent; with empty rows more where those were asked for."""
    if request.method != "POST":
        return None
    data = request.POST.copy()
    rows = request.POST.get("form-TOTAL_FORMS", "")
    if data.get("do") == "more" and rows.isascii() and rows.isdecimal():
        data["form-TOTAL_FORMS"] = str(int(rows) + MORE_ROWS)
    return data


def _initial(standing: Sequence[LetterOfDirection]) -> list[dict[str, Any]]:
    """The split that holds today, to begin from, where it is one for both layers."""
    now = [letter for letter in standing if _holds(letter, timezone.now().date())]
    if any(letter.layer for letter in now):
        return []
    return [
        {"payee": str(letter.payee.public_id), "part": directions.in_percent(directions.share_of(letter))}
        for letter in now
    ]


def _holds(letter: LetterOfDirection, day: date) -> bool:
    return letter.starts_on <= day and (letter.until is None or day < letter.until)


def _letters(standing: Sequence[LetterOfDirection]) -> list[dict[str, Any]]:
    """Those in force first, then those to come, then what was."""
    today = timezone.now().date()
    found = []
    for letter in standing:
        never = letter.until is not None and letter.until <= letter.starts_on
        over = never or (letter.until is not None and letter.until <= today)
        order = 2 if over else 1 if letter.starts_on > today else 0
        word = ("In force", "To come", "Never in force" if never else "Ended")[order]
        found.append({
            "order": order,
            "letter": letter,
            "layer_word": LAYER_WORDS[letter.layer],
            "part": directions.in_percent(directions.share_of(letter)),
            "kind": ("cleared", "waiting", "")[order],
            "word": word,
            "ends_by": letter.until and letter.until - timedelta(days=1),
            "open": letter.until is None,
        })  # fmt: skip
    return sorted(found, key=lambda row: (row["order"], row["letter"].starts_on, row["letter"].pk))


def _waits(standing: Sequence[LetterOfDirection]) -> list[str]:
    """Which part of each layer no letter of this scope names today, in words."""
    today = timezone.now().date()
    now = [letter for letter in standing if _holds(letter, today)]
    found = []
    for layer in directions.LAYERS if now else ():
        shares = (directions.share_of(letter) for letter in now if letter.layer in ("", layer))
        given = sum(shares, Fraction(0))
        if given < 1:
            found.append(f"{directions.in_percent(1 - given)} of what the {layer.lower()} earns waits for a letter.")
    return found


def _own(label: Party) -> list[dict[str, str]]:
    """Releases and recordings with letters of their own that have not ended, each once."""
    rows = owed.letters(label).exclude(release=None, recording=None)
    rows = rows.filter(Q(until=None) | Q(until__gt=timezone.now().date()))
    found: dict[str, dict[str, str]] = {}
    for letter in rows:
        about = letter.release or letter.recording
        kind = "Release" if letter.release else "Recording"
        found[_address(label, letter)] = {"title": about.title if about else "", "kind": kind}
    return [{"url": url, **row} for url, row in sorted(found.items(), key=lambda each: each[1]["title"])]


def _address(label: Party, letter: LetterOfDirection) -> str:
    for kind, about in (("release", letter.release), ("recording", letter.recording)):
        if about is not None:
            return reverse("studio-splits-of", args=[label.slug, kind, about.public_id])
    return reverse("studio-splits", args=[label.slug])


def _preview(request: HttpRequest, label: Party, scope: Scope, asked: dict[str, Any]) -> dict[str, Any]:
    """The next sale under the split as it was asked: it is signed for today, priced, and taken back."""
    country, now = country_of(request), timezone.now()
    offer = _offer(label, scope)
    with transaction.atomic():
        owed.sign_split(label, **{**asked, "starts_on": now.date()})
        names = {payee.pk: payee.name for payee in owed.payees(label)}
        try:
            quote = pricing.price(offer, country=country, at=now) if offer is not None else None
        except StoreError as refusal:
            quote = None
            messages.info(request, refusal.message)
        transaction.set_rollback(True)
    if quote is None or offer is None:
        return {
            "preview_words": "The parts are exactly the whole. None of it is on sale now, so there is no sale to show."
        }
    (shown,) = before_paying([quote])
    title = offer.release.title if offer.release else quote.tracks[0].title
    return {
        "preview": parts(shown, currency=offer.currency, site_name=settings.SITE_NAME, names=names),
        "preview_total": shown.micros,
        "preview_currency": offer.currency,
        "preview_words": f"The next sale of “{title}” to {country_name(country)}, as it would be divided. "
        "Here you read all names; buyers read those of payees who agreed.",
    }


def _offer(label: Party, scope: Scope) -> Offer | None:
    """What to show the next sale of: the latest offer in the scope, a whole release before a track."""
    rows = Offer.objects.filter(closed_at=None).select_related("release", "track__recording")
    if scope.recording is not None:
        rows = rows.filter(Q(track__recording=scope.recording) | Q(release__tracks__recording=scope.recording))
        return rows.order_by(F("release_id").asc(nulls_first=True), "-pk").first()
    if scope.release is not None:
        rows = rows.filter(Q(release=scope.release) | Q(track__release=scope.release))
    else:
        rows = rows.filter(Q(release__label=label) | Q(track__recording__label=label))
    return rows.order_by(F("track_id").asc(nulls_first=True), "-pk").first()
