"""Rights, evidence and decisions for the staff: to look at. Nothing here is edited; acts go through the workbench."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from licensing.models import (
    ClearanceDecision,
    GrantEnd,
    Instrument,
    LicenceGrant,
    Notice,
    NoticeEnd,
    Rate,
    RateVerification,
    Review,
    RightsHolder,
)


class ReadOnly:
    """For a model whose rows are evidence: nobody adds, changes or deletes one by hand."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class ReviewInline(ReadOnly, TabularInline):
    model = Review
    fields = ("at", "outcome", "reviewer", "reason", "evidence_sha256", "sound_sha256")
    extra = 0


class GrantEndInline(ReadOnly, TabularInline):
    model = GrantEnd
    fields = ("at", "kind", "reason", "void_title", "actor")
    extra = 0


class EvidenceInline(ReadOnly, TabularInline):
    model = LicenceGrant.evidence.through
    fields = ("instrument",)
    extra = 0


class NoticeEndInline(ReadOnly, TabularInline):
    model = NoticeEnd
    fields = ("at", "reason", "actor")
    extra = 0


class RateVerificationInline(ReadOnly, TabularInline):
    model = RateVerification
    fields = ("verified_on", "verified_by", "note", "at")
    extra = 0


@admin.register(Rate)
class RateAdmin(ReadOnly, ModelAdmin):
    """To look at; `manage.py rates` records and verifies."""

    list_display = ("tariff", "territory", "use", "valid_from", "valid_to", "method", "currency", "is_verified")
    list_filter = ("tariff", "territory", "use")
    search_fields = ("tariff", "source")
    inlines = (RateVerificationInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rate]:
        rows: QuerySet[Rate] = super().get_queryset(request)
        return rows.prefetch_related("verifications")

    @admin.display(description="verified", boolean=True)
    def is_verified(self, rate: Rate) -> bool:
        return bool(rate.verifications.all())


@admin.register(RightsHolder)
class RightsHolderAdmin(ReadOnly, ModelAdmin):
    list_display = ("party", "public_id", "created_at")
    search_fields = ("party__name", "public_id")
    list_select_related = ("party",)


@admin.register(Instrument)
class InstrumentAdmin(ReadOnly, ModelAdmin):
    list_display = ("captured_at", "kind", "media_type", "bytes", "sha256", "captured_by")
    list_filter = ("kind",)
    search_fields = ("sha256", "source_file_sha256", "text")
    exclude = ("file",)  # kept bytes are served by the workbench alone, as attachments


@admin.register(LicenceGrant)
class LicenceGrantAdmin(ReadOnly, ModelAdmin):
    list_display = ("created_at", "layer", "subject", "basis", "licensor", "licence_url", "version", "submitted_by")
    list_filter = ("layer", "basis", "licensee", "exclusive")
    search_fields = ("record_id", "recording__title", "recording__isrc", "work__title", "licensor__party__name")
    list_select_related = ("recording", "work", "catalogue", "licensor__party")
    inlines = (EvidenceInline, ReviewInline, GrantEndInline)

    @admin.display(description="subject")
    def subject(self, grant: LicenceGrant) -> Model | None:
        return grant.recording or grant.work or grant.catalogue


@admin.register(Notice)
class NoticeAdmin(ReadOnly, ModelAdmin):
    list_display = ("at", "kind", "about", "claimant", "layer", "is_open", "actor")
    list_filter = ("kind",)
    search_fields = ("public_id", "claimant", "statement", "recording__title", "release__title", "label__name")
    list_select_related = ("recording", "work", "release", "label", "end")
    inlines = (NoticeEndInline,)

    @admin.display(description="about")
    def about(self, notice: Notice) -> Model | None:
        return notice.recording or notice.work or notice.release or notice.label

    @admin.display(description="open", boolean=True)
    def is_open(self, notice: Notice) -> bool:
        return not hasattr(notice, "end")


@admin.register(ClearanceDecision)
class ClearanceDecisionAdmin(ReadOnly, ModelAdmin):
    list_display = ("at", "about", "use", "countries", "good_until", "engine", "actor")
    list_filter = ("use", "engine")
    search_fields = ("public_id", "recording__title", "recording__isrc", "release__title", "verdict_sha256")
    list_select_related = ("recording", "release")

    @admin.display(description="about")
    def about(self, decision: ClearanceDecision) -> Model | None:
        return decision.recording or decision.release

    @admin.display(description="countries cleared")
    def countries(self, decision: ClearanceDecision) -> int:
        return len(decision.cleared_countries)
