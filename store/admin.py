"""The staff desk over the shop's rows: joins named, nearly all read-only. What has rules is done through its acts."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from licensing.models import Notice
from payments.errors import PaymentsError
from payments.models import Payout, StripeEvent
from payments.money import Money
from store import records, refunds
from store.errors import StoreError
from store.models import (
    Advance,
    Basket,
    BasketLine,
    Certificate,
    Code,
    CommissionContract,
    Delivery,
    DeliveryLine,
    Download,
    Gift,
    Invoice,
    LetterOfDirection,
    Membership,
    Offer,
    Order,
    OrderLine,
    Price,
    Reserve,
    ReviewDue,
    User,
    VatCheck,
)
from transcoding.models import Master, Rendition

admin.site.unregister(Group)

REASON_LENGTH = 150
STATE_LABELS = {
    "PAID": "success",
    "PLACED": "warning",
    "REFUND_DUE": "warning",
    "REFUNDED": "danger",
    "CANCELLED": "danger",
}


def amount(minor: int | None, currency: str) -> str:
    """An amount as staff read it: EUR 1.00."""
    return "–" if minor is None else str(Money.of(minor, currency)).replace(":", " ")  # noqa: RUF001 - a dash


class ReadOnly(ModelAdmin):
    """Rows that only their acts may write: staff look, and follow the links."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


class Lines(TabularInline):
    """Rows that belong to the one above them, to look at."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["label"]
    fields = ["label", "role", "created_at"]
    readonly_fields = ["created_at"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """People. Being a reviewer, finance staff, staff or a label's member is given here and nowhere else."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    ordering = ["email"]
    list_display = ["email", "name", "country", "is_reviewer", "is_finance", "is_staff", "is_active", "last_login"]
    list_filter = ["is_reviewer", "is_finance", "is_staff", "is_active"]
    search_fields = ["email", "name"]
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "country"]}),
        ("May", {"fields": ["is_active", "is_reviewer", "is_finance", "is_staff", "is_superuser", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (
            None,
            {"classes": ["wide"], "fields": ["email", "password1", "password2", "name", "is_reviewer", "is_finance"]},
        )
    ]
    filter_horizontal = ["user_permissions"]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    list_display = ["user", "label", "role", "created_at"]
    list_select_related = ["user", "label"]
    list_filter = ["role"]
    search_fields = ["user__email", "label__name"]
    autocomplete_fields = ["user", "label"]
    readonly_fields = ["created_at"]


class DeliveryLineInline(Lines):
    model = DeliveryLine
    fields = ["path", "outcome", "code", "message"]
    readonly_fields = fields
    show_change_link = False


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ["folder_name", "label", "actor", "files", "started_at", "ended_at"]
    list_select_related = ["label"]
    search_fields = ["folder_name", "label__name"]
    date_hierarchy = "started_at"
    inlines = [DeliveryLineInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).annotate(files_count=Count("lines"))  # type: ignore[no-any-return]

    @display(description="files", ordering="files_count")
    def files(self, delivery: Any) -> int:
        return int(delivery.files_count)


@admin.register(Price)
class PriceAdmin(ReadOnly):
    list_display = ["subject", "price", "set_by", "set_at"]
    list_select_related = ["release", "recording"]
    search_fields = ["release__title", "recording__title", "recording__isrc"]

    @display(description="of")
    def subject(self, price: Price) -> str:
        return str(price.release or price.recording)

    @display(description="price", ordering="amount_minor")
    def price(self, price: Price) -> str:
        return amount(price.amount_minor, price.currency)


@admin.register(Code)
class CodeAdmin(ReadOnly):
    """Made in the studio and by `manage.py codes`; what a code promises never changes."""

    list_display = ["text", "bearer", "label", "percent", "amount_minor", "currency", "used", "max_uses", "ends_at"]
    list_select_related = ["label"]
    list_filter = ["bearer"]
    search_fields = ["text", "batch", "label__name"]


@admin.register(Gift)
class GiftAdmin(ReadOnly):
    list_display = ["order", "recipient", "send_at", "letter_at", "claimed_at"]
    list_select_related = ["order"]
    search_fields = ["order__number", "recipient"]


@admin.register(Offer)
class OfferAdmin(ReadOnly):
    """Opened and closed by the review of offers alone; why one is shut stands beside it."""

    list_display = ["subject", "what", "price", "countries", "is_on", "opened_at", "closed_reason"]
    list_select_related = ["release", "track__recording", "decision"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter), "currency", "closed_reason"]
    search_fields = ["release__title", "track__recording__title", "track__recording__isrc"]

    @display(description="of")
    def subject(self, offer: Offer) -> str:
        return str(offer.release) if offer.release is not None else offer.track.title if offer.track else ""

    @display(description="what")
    def what(self, offer: Offer) -> str:
        return "release" if offer.release_id else "track"

    @display(description="price", ordering="amount_minor")
    def price(self, offer: Offer) -> str:
        return amount(offer.amount_minor, offer.currency)

    @display(description="countries")
    def countries(self, offer: Offer) -> int:
        return len(offer.decision.cleared_countries)

    @display(description="open", boolean=True)
    def is_on(self, offer: Offer) -> bool:
        return offer.is_open


class BasketLineInline(Lines):
    model = BasketLine
    fields = ["offer", "added_at"]
    readonly_fields = fields
    show_change_link = False


@admin.register(Basket)
class BasketAdmin(ReadOnly):
    list_display = ["pk", "user", "country", "currency", "size", "changed_at"]
    list_select_related = ["user"]
    inlines = [BasketLineInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Basket]:
        return super().get_queryset(request).annotate(size_count=Count("lines"))  # type: ignore[no-any-return]

    @display(description="lines", ordering="size_count")
    def size(self, basket: Any) -> int:
        return int(basket.size_count)


class OrderLineInline(Lines):
    model = OrderLine
    fields = ["position", "bought", "artist", "label", "paid", "state", "certificate_link"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("order", "label", "certificate")  # type: ignore[no-any-return]

    @display(description="bought")
    def bought(self, line: OrderLine) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("admin:store_orderline_change", args=[line.pk]), line.title)

    @display(description="paid")
    def paid(self, line: OrderLine) -> str:
        return amount(line.amount_minor, line.order.currency)

    @display(description="certificate")
    def certificate_link(self, line: OrderLine) -> SafeString | str:
        certificate = getattr(line, "certificate", None)
        if certificate is None:
            return "not yet"
        return format_html('<a href="{}">open</a>', reverse("certificate", args=[certificate.public_id]))


@admin.register(Order)
class OrderAdmin(ReadOnly):
    """Orders to look at; a line is refunded on its own page, through the same act as everywhere."""

    list_display = ["number", "email", "country", "total", "shown_state", "placed_at", "paid_at", "alert"]
    list_filter = ["state", "currency", ("alert", admin.EmptyFieldListFilter)]
    search_fields = ["number", "email", "lines__title"]
    date_hierarchy = "placed_at"
    inlines = [OrderLineInline]

    @display(description="total", ordering="total_minor")
    def total(self, order: Order) -> str:
        return amount(order.total_minor, order.currency)

    @display(description="state", label=STATE_LABELS, ordering="state")
    def shown_state(self, order: Order) -> str:
        return order.state


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnly):
    list_display = ["order", "position", "title", "artist", "label", "paid", "shown_state", "refunded_at"]
    list_select_related = ["order", "label"]
    list_filter = ["state"]
    search_fields = ["order__number", "title", "artist", "label__name"]
    actions_detail = ["refund"]

    @display(description="paid", ordering="amount_minor")
    def paid(self, line: OrderLine) -> str:
        return amount(line.amount_minor, line.order.currency)

    @display(description="state", label=STATE_LABELS, ordering="state")
    def shown_state(self, line: OrderLine) -> str:
        return line.state

    @action(description="Refund this line", url_path="refund", permissions=["refund"])
    def refund(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Asked for once more before anything happens: a link alone never moves money."""
        line = get_object_or_404(OrderLine.objects.select_related("order"), pk=object_id)
        error, reason = "", request.POST.get("reason", "").strip()[:REASON_LENGTH]
        if request.method == "POST" and not reason:
            error = "Say why: the reason is kept with the line."
        elif request.method == "POST":
            try:
                refunds.refund_line(line, reason=f"{reason} ({request.user})", at=timezone.now())
            except (StoreError, PaymentsError) as refusal:
                error = str(refusal)
            else:
                messages.success(request, f"The refund of “{line.title}” is on its way.")
                return redirect("admin:store_orderline_change", object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": "Refund a line",
            "line": line,
            "paid": amount(line.amount_minor, line.order.currency),
            "error": error,
        }
        return render(request, "admin/store/orderline/refund.html", context, status=409 if error else 200)

    def has_refund_permission(self, request: HttpRequest, object_id: int | None = None) -> bool:  # noqa: ARG002
        return request.user.is_superuser or request.user.has_perm("store.change_order")


@admin.register(Download)
class DownloadAdmin(ReadOnly):
    list_display = ["line", "purpose", "format", "issued_at", "expires_at", "uses", "address"]
    list_select_related = ["line"]
    list_filter = ["purpose", "format"]
    search_fields = ["line__title", "line__order__number"]
    date_hierarchy = "issued_at"


@admin.register(LetterOfDirection)
class LetterAdmin(ReadOnly):
    list_display = ["holder", "payee", "layer", "release", "recording", "share", "starts_on", "until", "signed_by"]
    list_select_related = ["holder__party", "payee", "release", "recording"]
    list_filter = ["layer"]
    search_fields = ["holder__party__name", "payee__name"]

    @display(description="share")
    def share(self, letter: LetterOfDirection) -> str:
        return f"{letter.share_numerator}/{letter.share_denominator}"


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly):
    list_display = ["name", "kind", "order", "country", "currency", "total_minor", "tax_minor", "issued_at"]
    list_select_related = ["order"]
    list_filter = ["kind", "year", "currency"]
    search_fields = ["name", "order__number"]
    raw_id_fields = ["order", "line", "transfer", "corrects"]


@admin.register(VatCheck)
class VatCheckAdmin(ReadOnly):
    list_display = ["vat_id", "company", "state", "consultation", "registered_name", "asked_at"]
    list_filter = ["state", "country"]
    search_fields = ["vat_id", "company", "consultation"]
    raw_id_fields = ["buyer"]


@admin.register(CommissionContract)
class CommissionContractAdmin(ReadOnly):
    """To look at; `manage.py contracts` records and ends."""

    list_display = ["label", "share", "starts_on", "until", "agreement", "recorded_by"]
    list_select_related = ["label"]
    search_fields = ["label__name", "agreement"]

    @display(description="share")
    def share(self, contract: CommissionContract) -> str:
        return f"{contract.share_numerator}/{contract.share_denominator}"


@admin.register(Advance)
class AdvanceAdmin(ReadOnly):
    list_display = ["payee", "holder", "repaid_to", "amount_micros", "recouped_micros", "currency", "given_on"]
    list_select_related = ["payee", "holder__party", "repaid_to"]
    search_fields = ["payee__name", "holder__party__name", "agreement"]


@admin.register(Reserve)
class ReserveAdmin(ReadOnly):
    list_display = ["line", "micros", "release_on", "released_at"]
    list_select_related = ["line"]
    date_hierarchy = "release_on"


@admin.register(Certificate)
class CertificateAdmin(ReadOnly):
    list_display = ["public_id", "order_line", "sha256", "issued_at", "page"]
    list_select_related = ["order_line"]
    search_fields = ["sha256", "order_line__title"]

    @display(description="page")
    def page(self, certificate: Certificate) -> SafeString:
        return format_html('<a href="{}">open</a>', reverse("certificate", args=[certificate.public_id]))


@admin.register(ReviewDue)
class ReviewDueAdmin(ReadOnly):
    list_display = ["recording", "cause", "marked_at", "claimed_until"]
    list_select_related = ["recording"]
    list_filter = ["cause"]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - unfold's own form
    """What waits for somebody, each with the page where it is dealt with. Unfold's `DASHBOARD_CALLBACK`."""
    waits = [
        ("Records to review", records.waiting().count(), reverse("review")),
        ("Notices that hold", Notice.objects.filter(end=None).count(), reverse("review-notices")),
        ("Orders with an alert", Order.objects.exclude(alert="").count(), reverse("admin:store_order_changelist")),
        (
            "Refunds under way",
            OrderLine.objects.filter(state=OrderLine.State.REFUND_DUE).count(),
            reverse("admin:store_orderline_changelist") + "?state__exact=REFUND_DUE",
        ),
        (
            "Webhooks given up",
            StripeEvent.objects.filter(state=StripeEvent.State.FAILED).count(),
            reverse("admin:payments_stripeevent_changelist"),
        ),
        (
            "Payouts refused",
            Payout.objects.filter(state=Payout.State.FAILED).count(),
            reverse("admin:payments_payout_changelist"),
        ),
        (
            "Masters being examined",
            Master.objects.filter(state=Master.State.EXAMINING).count(),
            reverse("admin:transcoding_master_changelist"),
        ),
        (
            "Files that could not be made",
            Rendition.objects.filter(state=Rendition.State.FAILED).count(),
            reverse("admin:transcoding_rendition_changelist"),
        ),
    ]
    return {**context, "waits": waits}
