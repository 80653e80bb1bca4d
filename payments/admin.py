"""Money for the staff: to look at. No form writes past the ledger's rules; acts go through their functions."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from payments import ledger
from payments.models import (
    Account,
    Alert,
    Charge,
    Entry,
    Payee,
    Payout,
    Refund,
    Statement,
    StripeEvent,
    Transfer,
    TransferSeal,
    UnsealedTransfer,
)
from payments.money import Currency, Money
from payments.statements import main_units


class ReadOnly:
    """For rows that only functions write."""

    def has_add_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


def amount(minor: int, currency: str) -> str:
    return str(Money(minor, Currency(currency)))


class EntryInline(ReadOnly, TabularInline):
    model = Entry
    fields = ("position", "account", "side", "amount", "currency")
    readonly_fields = ("amount",)
    ordering = ("position",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        entries: QuerySet[Entry] = super().get_queryset(request)
        return entries.select_related("account")

    def amount(self, entry: Entry) -> str:
        return main_units(entry.amount_micros)


@admin.register(Transfer)
class TransferAdmin(ReadOnly, ModelAdmin):
    list_display = ("reference", "kind", "posted_at", "legs", "place_in_chain")
    list_filter = ("kind",)
    search_fields = ("reference", "document_sha256")
    date_hierarchy = "posted_at"
    list_select_related = ("seal",)
    show_full_result_count = False
    inlines = (EntryInline,)

    @admin.display(description="seal")
    def place_in_chain(self, transfer: Transfer) -> str:
        seal = getattr(transfer, "seal", None)
        return f"{seal.position} · {seal.sha256[:12]}" if seal else "waits"


@admin.register(Account)
class AccountAdmin(ReadOnly, ModelAdmin):
    list_display = ("code", "kind", "currency", "payee")
    list_filter = ("kind", "currency")
    search_fields = ("code", "payee__name")
    list_select_related = ("payee",)
    readonly_fields = ("balance",)

    def balance(self, account: Account) -> str:
        return f"{main_units(ledger.balance(account))} {account.currency}"


@admin.register(TransferSeal)
class TransferSealAdmin(ReadOnly, ModelAdmin):
    list_display = ("position", "transfer", "sha256", "sealed_at")
    search_fields = ("sha256", "transfer__reference")
    list_select_related = ("transfer",)
    show_full_result_count = False


@admin.register(UnsealedTransfer)
class UnsealedTransferAdmin(ReadOnly, ModelAdmin):
    list_display = ("transfer", "posted_at")
    list_select_related = ("transfer",)


class RefundInline(ReadOnly, TabularInline):
    model = Refund
    fields = ("reference", "amount_minor", "state", "stripe_refund_id", "created_at")
    readonly_fields = ("created_at",)
    extra = 0


@admin.register(Charge)
class ChargeAdmin(ReadOnly, ModelAdmin):
    list_display = ("reference", "asked", "state", "fee", "created_at", "paid_at")
    list_filter = ("state", "currency")
    search_fields = ("reference", "stripe_session_id", "stripe_payment_intent_id", "stripe_charge_id")
    inlines = (RefundInline,)

    def asked(self, charge: Charge) -> str:
        return amount(charge.amount_minor, charge.currency)

    def fee(self, charge: Charge) -> str:
        return "not known yet" if charge.fee_minor is None else amount(charge.fee_minor, charge.currency)


@admin.register(Payee)
class PayeeAdmin(ReadOnly, ModelAdmin):
    list_display = ("name", "country", "currency", "state", "stripe_account_id")
    list_filter = ("state", "country")
    search_fields = ("name", "email", "stripe_account_id")


@admin.register(Payout)
class PayoutAdmin(ReadOnly, ModelAdmin):
    list_display = ("number", "payee", "sent_amount", "state", "planned_at", "settled_at", "error")
    list_filter = ("state", "currency")
    search_fields = ("number", "payee__name", "transfer_group", "stripe_transfer_id")
    list_select_related = ("payee",)

    @admin.display(description="amount")
    def sent_amount(self, payout: Payout) -> str:
        return amount(payout.amount_minor, payout.currency)


@admin.register(Statement)
class StatementAdmin(ReadOnly, ModelAdmin):
    list_display = ("number", "payee", "currency", "since", "until", "closing")
    search_fields = ("number", "payee__name")
    list_select_related = ("payee",)

    def closing(self, statement: Statement) -> str:
        return f"{main_units(statement.closing_micros)} {statement.currency}"


@admin.register(Alert)
class AlertAdmin(ReadOnly, ModelAdmin):
    list_display = ("code", "subject", "times", "raised_at", "closed_at", "closed_by")
    list_filter = ("code",)
    search_fields = ("subject", "text", "note")
    show_full_result_count = False


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly, ModelAdmin):
    list_display = ("stripe_id", "type", "state", "attempts", "received_at", "handled_at")
    list_filter = ("state", "type")
    search_fields = ("stripe_id", "error")
    show_full_result_count = False
