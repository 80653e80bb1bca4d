"""Tables of licence records in the studio: the template, what stands, and a table that is staged before it counts."""

import csv
from collections.abc import Iterator
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from catalog.models import Party
from licensing.errors import LicensingError
from store import record_imports
from store.errors import ImportRefused
from store.models import RecordImport
from store.record_fields import PapersField
from store.views.studio import actor, for_label, page, sent

EARLIER = 20


class ImportForm(forms.Form):
    """A table, and the evidence that its lines name."""

    table = forms.FileField(label="Table (CSV, UTF-8)")
    papers = PapersField(
        label="Evidence", required=False, help_text="The files that the column “evidence” names, ten at most."
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def imports(request: HttpRequest, label: Party) -> HttpResponse:
    form = ImportForm(*sent(request))
    if request.method == "POST" and form.is_valid():
        table = form.cleaned_data["table"]
        try:
            staged = record_imports.stage(
                label, file_name=table.name, data=table.read(record_imports.MOST_BYTES + 1),
                papers=form.cleaned_data["papers"], actor=actor(request),
            )  # fmt: skip
        except (ImportRefused, LicensingError) as refusal:
            form.add_error("table", str(refusal))
        else:
            return redirect("studio-record-import", label.slug, staged.public_id)
    columns = [(name, holds) for name, (_, holds) in record_imports.COLUMNS.items()]
    earlier = RecordImport.objects.filter(label=label).defer("text", "papers")[:EARLIER]
    return page(
        request, "record_imports", label=label, place="rights", form=form, columns=columns, earlier=earlier,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def staged(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """What a table would do; on a press of the button it is done, all of it or nothing."""
    found = get_object_or_404(RecordImport, label=label, public_id=public_id)
    refused = ""
    if request.method == "POST" and request.POST.get("act") == "drop":
        record_imports.drop(found)
        messages.success(request, "The table is put away. Nothing was changed.")
        return redirect("studio-record-imports", label.slug)
    if request.method == "POST":
        try:
            made = record_imports.apply(found, actor=actor(request))
        except ImportRefused as refusal:
            refused = str(refusal)
            found.refresh_from_db()
        else:
            said = "1 record is handed in" if made == 1 else f"{made} records are handed in"
            messages.success(request, f"{said}. A reviewer looks at the evidence now.")
            return redirect("studio-rights", label.slug)
    plan = record_imports.show(found) if found.state == RecordImport.State.STAGED else None
    return page(
        request, "record_import", label=label, place="rights", staged=found, plan=plan, refused=refused,
        status=422 if refused else 200,
    )  # fmt: skip


class _Echo:
    """A file that hands back what is written into it."""

    def write(self, line: str) -> str:
        return line


def _table(lines: Iterator[list[str]], name: str) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())
    response = StreamingHttpResponse((writer.writerow(line) for line in lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


@require_safe
@for_label
def template_csv(request: HttpRequest, label: Party) -> HttpResponseBase:  # noqa: ARG001 - a view
    return _table(iter(record_imports.template()), "records-template.csv")


@require_safe
@for_label
def records_csv(request: HttpRequest, label: Party) -> HttpResponseBase:  # noqa: ARG001 - a view
    return _table(record_imports.rows(label), f"records-{label.slug}.csv")
