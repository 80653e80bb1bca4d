"""Staff look at masters and renditions; they change nothing, but may give a rendition new tries."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from transcoding import renditions, tasks
from transcoding.models import Attempt, Finding, Master, Rendition, Upload


class ReadOnly:
    """Nothing is added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False


class FindingInline(ReadOnly, TabularInline):
    model = Finding
    fields = ("severity", "code", "message")
    extra = 0


class AttemptInline(ReadOnly, TabularInline):
    model = Attempt
    fields = ("fence", "worker", "started_at", "ended_at", "outcome", "error")
    extra = 0


@admin.register(Upload)
class UploadAdmin(ReadOnly, ModelAdmin):
    list_display = ("filename", "state", "bytes", "actor", "created_at")
    list_filter = ("state",)
    search_fields = ("filename", "sha256")
    date_hierarchy = "created_at"


@admin.register(Master)
class MasterAdmin(ReadOnly, ModelAdmin):
    list_display = ("recording", "state", "codec", "lossless", "sample_rate", "bit_depth", "bytes", "created_at")
    list_filter = ("state", "codec", "lossless")
    list_select_related = ("recording",)
    search_fields = ("recording__title", "recording__isrc", "file_sha256", "sound_sha256")
    inlines = (FindingInline, AttemptInline)
    exclude = ("peaks",)


@admin.register(Rendition)
class RenditionAdmin(ReadOnly, ModelAdmin):
    list_display = ("recording", "format", "state", "bytes", "attempts", "planned_at", "ready_at")
    list_filter = ("state", "format", "purpose")
    list_select_related = ("master__recording",)
    search_fields = ("master__recording__title", "master__recording__isrc", "public_id", "sha256")
    inlines = (AttemptInline,)
    actions = ("try_again",)

    @admin.display(ordering="master__recording__title")
    def recording(self, rendition: Rendition) -> str:
        return str(rendition.master.recording)

    @admin.action(description="Try again those that were given up", permissions=["view"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Rendition]) -> None:
        failed = queryset.filter(state=Rendition.State.FAILED)
        for rendition in failed:
            renditions.ask_again(rendition)
            tasks.make_renditions.delay(rendition.master_id)
        self.message_user(request, f"{len(failed)} given new tries.")
