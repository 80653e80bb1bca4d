"""The catalogue for the staff: to look at, and to correct names and facts. Nothing here sells or clears anything."""

from django.contrib import admin
from django.db import models
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from catalog.credits import artist_line
from catalog.models import (
    Artwork,
    Credit,
    Party,
    Recording,
    RecordingWork,
    Release,
    SocietyMembership,
    Track,
    Work,
    WorkShare,
)


class CreditInline(TabularInline):
    model = Credit
    fields = ("position", "role", "party", "credited_as")
    autocomplete_fields = ("party",)
    extra = 0


class WorkInline(TabularInline):
    model = RecordingWork
    fields = ("position", "work")
    autocomplete_fields = ("work",)
    extra = 0


class TrackInline(TabularInline):
    model = Track
    fields = ("disc", "number", "recording", "title_override")
    autocomplete_fields = ("recording",)
    extra = 0


class ArtworkInline(TabularInline):
    model = Artwork
    fields = readonly_fields = ("position", "media_type", "width", "height", "bytes", "sha256")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        return False  # pictures come through catalog.artwork, which looks at them


class Looked:
    """Shares and mandates are stated through `catalog.works`, which keeps their sums; here they are looked at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        return False


class ShareInline(Looked, TabularInline):
    model = WorkShare
    fields = readonly_fields = ("party", "role", "mechanical", "performing", "published_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkShare]:
        rows: QuerySet[WorkShare] = super().get_queryset(request)
        return rows.select_related("party", "published_by__party", "published_by__work")


class MembershipInline(Looked, TabularInline):
    model = SocietyMembership
    fk_name = "party"
    fields = readonly_fields = (
        "society",
        "right",
        "territory_mode",
        "territories",
        "joined_on",
        "left_on",
        "online_excluded",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SocietyMembership]:
        rows: QuerySet[SocietyMembership] = super().get_queryset(request)
        return rows.select_related("society")


@admin.register(Party)
class PartyAdmin(ModelAdmin):
    list_display = ("name", "kind", "isni", "ipi", "slug")
    list_filter = ("kind",)
    search_fields = ("name", "isni", "ipi", "slug")
    readonly_fields = ("public_id", "slug", "created_at")
    inlines = (MembershipInline,)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}


@admin.register(Work)
class WorkAdmin(ModelAdmin):
    list_display = ("title", "iswc", "recording_count")
    search_fields = ("title", "iswc")
    readonly_fields = ("public_id", "created_at")
    inlines = (CreditInline, ShareInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Work]:
        rows: QuerySet[Work] = super().get_queryset(request)
        return rows.annotate(recording_total=Count("recordings"))

    @admin.display(description="recordings", ordering="recording_total")
    def recording_count(self, work: Work) -> int:
        return int(work.recording_total)  # type: ignore[attr-defined]


@admin.register(Recording)
class RecordingAdmin(ModelAdmin):
    list_display = ("title", "artist", "isrc", "label", "year")
    list_filter = ("is_cover", "is_remix", "contains_samples")
    list_select_related = ("label",)
    search_fields = ("title", "isrc", "credits__party__name")
    autocomplete_fields = ("label",)
    readonly_fields = ("public_id", "created_at")
    inlines = (CreditInline, WorkInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recording]:
        rows: QuerySet[Recording] = super().get_queryset(request)
        return rows.prefetch_related("credits__party")

    @admin.display
    def artist(self, recording: Recording) -> str:
        return artist_line(recording)


@admin.register(Release)
class ReleaseAdmin(ModelAdmin):
    list_display = ("title", "artist", "label", "kind", "release_date", "gtin")
    list_filter = ("kind", "release_date")
    list_select_related = ("label",)
    search_fields = ("title", "gtin", "slug", "credits__party__name")
    autocomplete_fields = ("label",)
    readonly_fields = ("public_id", "slug", "created_at")
    inlines = (CreditInline, TrackInline, ArtworkInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        rows: QuerySet[Release] = super().get_queryset(request)
        return rows.prefetch_related("credits__party")

    @admin.display
    def artist(self, release: Release) -> str:
        return artist_line(release)
