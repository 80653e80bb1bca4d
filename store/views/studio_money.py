"""What the label earned, what its payees are owed, and who is paid on its behalf."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.models import Party
from payments import payees as payee_acts
from payments import payouts
from payments.errors import PaymentsError
from payments.models import Payee
from store import charts, disputes, earnings, owed, reports
from store import sales as sold
from store.errors import LetterRefused
from store.forms import LetterForm, PeriodForm
from store.models import LetterOfDirection
from store.records import LAYERS
from store.templatetags.ledger import places
from store.templatetags.shop import country_name
from store.templatetags.shop import micros as in_words
from store.templatetags.shop import money as money_words
from store.views.studio import CURRENCY, for_label, page, sent
from store.views.studio_settings import is_owner
from transcoding import formats

DAYS = 30
LATEST = 8
BEST = 10
PAGE = 50
MOST_DAYS = 366
PAYEE_KINDS = {"NEW": "waiting", "ONBOARDING": "waiting", "READY": "cleared"}
PAYOUT_KINDS = {"PLANNED": "waiting", "SENT": "waiting", "EXPORTED": "waiting", "SETTLED": "cleared",
                "FAILED": "refused", "REVERSED": "refused"}  # fmt: skip
BARS = 8  # of a ranking


@require_safe
@for_label
def money(request: HttpRequest, label: Party) -> HttpResponse:
    until = timezone.now().date()
    paid_out = [{"payout": payout, "kind": PAYOUT_KINDS[payout.state]} for payout in owed.payouts(label)[:LATEST]]
    return page(
        request, "money", label=label, place="money", currency=CURRENCY, minimum=settings.PAYOUT_MINIMUM_MINOR,
        accounts=_accounts(label), suspended=owed.suspended(label),
        disputed=disputes.sums_of_label(label),
        letters=owed.letters(label).exists(), payouts=paid_out, **_sales(sold.lines(label)[:LATEST]),
        **_chart(label, since=until - timedelta(days=DAYS - 1), until=until),
    )  # fmt: skip


def _sales(lines: Any) -> dict[str, Any]:
    """Sales for the table, and the decimals its column needs."""
    found = sold.read(lines)
    return {"sales": found, "places": places([sale.micros for sale in found], CURRENCY)}


def _titles(label: Party, since: date, until: date) -> list[reports.SoldTitle]:
    """The best sellers of the span."""
    begin = datetime.combine(since, time(), UTC)
    return reports.sales_by_title(label, since=begin, until=begin + (until - since + timedelta(days=1)))[:BEST]


def _accounts(label: Party) -> list[dict[str, Any]]:
    """Each payee's balance, and in a sentence what happens with it next."""
    due = payouts.due(at=timezone.now(), sources=earnings.sources, of=owed.payees(label))
    found = {(one.payee.pk, one.amount.currency.code): one for one in due}
    return [{"owed": one, **_next(one, found.get((one.payee.pk, one.currency)))} for one in owed.owed(label)]


def _next(one: owed.Owed, due: payouts.Due | None) -> dict[str, Any]:
    if due is None:
        return {"next": "Nothing is owed at the moment."}
    taken = [f"{in_words(each.amount_micros, one.currency)} of tax is withheld for {country_name(each.country)} "
             f"({each.rate.reason})" for each in due.withheld]  # fmt: skip
    if due.recouped_micros:
        taken.insert(0, f"{in_words(due.recouped_micros, one.currency)} is kept for what is owed to the store")
    if not due.hold:
        return {"next": f"{money_words(due.amount.minor, one.currency)} goes out with the next payout.", "taken": taken}
    if due.hold.startswith("below"):
        least = money_words(payouts.minimum(one.payee, one.currency), one.currency)
        return {"next": f"Paid out once it reaches {least}; less is carried forward.", "taken": taken}
    if one.payee.route == Payee.Route.STRIPE and one.payee.state != Payee.State.READY:
        return {"next": "Stripe still has to learn who they are; until then the money waits here.", "ask": True}
    return {"next": f"It waits: {due.hold}."}


def _chart(label: Party, *, since: date, until: date) -> dict[str, Any]:
    points = sold.by_day(label, currency=CURRENCY, since=since, until=until)
    sizes = [
        charts.daily(
            points,
            amount=lambda value: in_words(value, CURRENCY),
            day=lambda on: date_format(on, "j M"),
            width=width,
        )
        for width in (charts.WIDTH, charts.NARROW)
    ]
    total = sum(value for _, value in points)
    span = f"{date_format(since, 'j F Y')} to {date_format(until, 'j F Y')}"
    return {"charts": sizes, "chart_words": f"{in_words(total, CURRENCY)} earned from {span}, refunds taken out."}


def _rankings(label: Party, since: date, until: date) -> list[dict[str, Any]]:
    """Where, of which release and in which formats the label's music went. Three statements."""
    begin = datetime.combine(since, time(), UTC)
    span = {"since": begin, "until": begin + (until - since + timedelta(days=1))}
    countries = reports.sales_by_country(label, **span)
    of = {
        "By country": [(country_name(code), gross) for code, currency, _, gross in countries if currency == CURRENCY],
        "By release": reports.sales_by_release(label, currency=CURRENCY, **span),
    }
    found = [
        {"title": title, "words": "Paid by buyers, refunds not taken out.",
         "ranks": charts.ranked(points[:BARS], amount=lambda minor: money_words(minor, CURRENCY))}
        for title, points in of.items() if points
    ]  # fmt: skip
    named = {code: one.name for code, one in formats.FORMATS.items()}
    files = [(named.get(code, code), count) for code, count in reports.downloads_by_format(label, **span)]
    if files:
        ranks = charts.ranked(files[:BARS], amount=lambda count: f"{count}")
        found.append({"title": "By format", "words": "Files that buyers fetched.", "ranks": ranks})
    return found


def period(request: HttpRequest, *, days: int = DAYS) -> tuple[PeriodForm, date, date]:
    """The span of days asked for; the last `days` where none, or nonsense, was. At most a year."""
    today = timezone.now().date()
    since, until = today - timedelta(days=days - 1), today
    form = PeriodForm(request.GET) if request.GET.get("since") else PeriodForm(initial={"since": since, "until": until})
    if form.is_bound and form.is_valid():
        since, until = form.cleaned_data["since"], form.cleaned_data["until"]
        since = max(since, until - timedelta(days=MOST_DAYS - 1))
    return form, since, until


@require_safe
@for_label
def sales(request: HttpRequest, label: Party) -> HttpResponse:
    form, since, until = period(request)
    paged = Paginator(sold.lines(label, since=since, until=until), PAGE).get_page(request.GET.get("page"))
    return page(
        request, "sales", label=label, place="money", period=form, page=paged, titles=_titles(label, since, until),
        query_kept=f"since={since}&until={until}", rankings=_rankings(label, since, until),
        **_sales(paged.object_list), **_chart(label, since=since, until=until),
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def payees(request: HttpRequest, label: Party) -> HttpResponse:
    """Letters of direction; only an owner signs one."""
    owner = is_owner(request, label)
    form = LetterForm(*sent(request), initial={"starts_on": timezone.now().date()})
    if request.method == "POST":
        if not owner:
            raise Http404("Only an owner signs letters of direction.")
        if form.is_valid() and _signed(form, label):
            messages.success(request, "The letter is signed. Stripe now needs to know the payee.")
            return redirect("studio-payees", label.slug)
    listed = [_letter(letter) for letter in owed.letters(label)]
    return page(
        request, "payees", label=label, place="money", letters=listed, letter_form=form, is_owner=owner,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


def _signed(form: LetterForm, label: Party) -> bool:
    data = dict(form.cleaned_data)
    data["country"] = data["country"][0]
    try:
        owed.sign_letter(label, currency=CURRENCY, **data)
    except LetterRefused as refusal:
        form.add_error("percent", str(refusal))
        return False
    return True


def _letter(letter: LetterOfDirection) -> dict[str, Any]:
    share = letter.share_numerator * 100 / letter.share_denominator
    return {
        "letter": letter,
        "layer_word": LAYERS.get(letter.layer, "Recording and work"),
        "part": f"{share:g}%",
        "payee_kind": PAYEE_KINDS[letter.payee.state],
        "wants": payee_acts.wanted(letter.payee),
    }


@require_POST
@for_label
def ask_stripe(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """Ask Stripe whether the payee can be paid now, and what it still wants to know."""
    payee = next((one for one in owed.payees(label) if one.public_id == public_id), None)
    if payee is None:
        raise Http404("The label names no such payee.")
    try:
        payee = payee_acts.refresh_payee(payee)
    except PaymentsError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{payee.name}: {payee.get_state_display()}.")
    return redirect("studio-payees", label.slug)


@require_POST
@for_label
def connect(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """On to Stripe's own page, where the payee says who it is and where to pay."""
    payee = next((one for one in owed.payees(label) if one.public_id == public_id), None)
    if payee is None or not is_owner(request, label):
        raise Http404("The label names no such payee.")
    back = request.build_absolute_uri(reverse("studio-payees", args=[label.slug]))
    try:
        return redirect(payee_acts.onboarding_link(payee, return_url=back, refresh_url=back))
    except PaymentsError as refusal:
        messages.error(request, str(refusal))
        return redirect("studio-payees", label.slug)
