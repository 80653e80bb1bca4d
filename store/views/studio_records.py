"""Handing in licence records: what one is about, everything it says, and changing it by a new version."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from catalog.models import Party, Recording
from licensing.errors import LicensingError
from licensing.models import LicenceGrant
from store import records, submissions
from store.errors import RecordRefused
from store.record_forms import RecordForm, said_by
from store.submissions import Subject
from store.views.studio import actor, for_label, page, sent

FOUND = 20
SECTIONS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("Who and on what ground", ("licensor", "licensor_ipi", "basis", "agreement", "licence", "cmo_status"), True),
    ("What is allowed", ("uses", "where", "countries", "starts_on", "ends_on"), True),
    ("Share and price", ("share", "price_minimum", "price_currency", "exclusive"), True),
    ("Evidence", ("evidence_kind", "papers", "evidence_text"), True),
    (
        "A collecting society or a statute",
        ("cmo_name", "cmo_licence_number", "cmo_mandate_proven", "cmo_in_repertoire", "tariff",
         "statutory_condition_met"),
        False,
    ),
    (
        "Previews, copies and other people's music",
        ("redownload_rule", "preview_max_seconds", "edits_allowed", "free_consent", "drm_required", "material",
         "layer"),
        False,
    ),
)  # fmt: skip


@require_safe
@for_label
def choose_subject(request: HttpRequest, label: Party) -> HttpResponse:
    """What the record is about: the whole catalogue, or one recording or work of it, found by title or code."""
    query = request.GET.get("q", "").strip()[:200]
    recordings = Recording.objects.filter(label=label).order_by("title", "pk")
    works = submissions.works_of(label).order_by("title", "pk")
    if query:
        bare = query.replace("-", "").replace(".", "").replace(" ", "").upper()
        recordings = recordings.filter(Q(title__icontains=query) | Q(isrc=bare))
        works = works.filter(Q(title__icontains=query) | Q(iswc=bare))
    return page(
        request, "record_subject", label=label, place="rights", q=query,
        recordings=recordings[:FOUND], works=works[:FOUND], most=FOUND,
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def new_record(request: HttpRequest, label: Party, kind: str, public_id: UUID) -> HttpResponse:
    subject = submissions.subject_of(label, kind, public_id)
    if subject is None:
        raise Http404("There is no such recording or work of this label.")
    initial = {"layer": subject.layer}
    form = RecordForm(*sent(request), initial=initial, layers=subject.layers)
    if request.method == "POST" and form.is_valid():
        try:
            grant = submissions.hand_in(subject, form, label=label, actor=actor(request))
        except LicensingError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The record is handed in. A reviewer looks at its evidence now.")
            return redirect("studio-record", label.slug, grant.record_id)
    return _form_page(request, label, form, subject)


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def change_record(request: HttpRequest, label: Party, record_id: UUID) -> HttpResponse:
    """A new version of the label's own record; the earlier ones stay on file."""
    grant = records.of_label(label).filter(record_id=record_id).first()
    if grant is None or not submissions.is_own(label, grant):
        raise Http404("There is no such record of this label.")
    subject = submissions.subject_of_grant(grant)
    kept = set(grant.evidence.values_list("kind", flat=True))
    initial = said_by(grant)
    posted, files = sent(request)
    if posted is not None:
        posted = posted.copy()
        for name in (name for _, names, _ in SECTIONS for name in names if not _asked(name, subject, grant)):
            posted.setlist(name, [initial.get(name) or ""])  # what is not asked stays as it is
    form = RecordForm(posted, files, initial=initial, kept=kept, layers=subject.layers)
    if request.method == "POST" and form.is_valid():
        if request.POST.get("version") != str(grant.version):
            form.add_error(None, "Somebody changed this record meanwhile. Look at it again; your words stand below.")
        else:
            try:
                submissions.change(grant, form, label=label, actor=actor(request))
            except (LicensingError, RecordRefused) as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"Version {grant.version + 1} is handed in and waits for a reviewer.")
                return redirect("studio-record", label.slug, record_id)
    return _form_page(request, label, form, subject, grant=grant)


def _form_page(
    request: HttpRequest, label: Party, form: RecordForm, subject: Subject, *, grant: LicenceGrant | None = None
) -> HttpResponse:
    sections: list[dict[str, Any]] = [
        {
            "title": title,
            "fields": [form[name] for name in names if _asked(name, subject, grant)],
            "open": always or any(name in form.errors for name in names) or _says_more(form, names, grant),
            "always": always,
        }
        for title, names, always in SECTIONS
    ]
    back = reverse("studio-record", args=[label.slug, grant.record_id]) if grant else ""
    return page(
        request, "record_form", label=label, place="rights", form=form, subject=subject, sections=sections,
        grant=grant, back=back, status=422 if form.is_bound else 200,
    )  # fmt: skip


def _asked(name: str, subject: Subject, grant: LicenceGrant | None) -> bool:
    """Whether a field belongs to this record: who granted never changes, and a work has no sound to preview."""
    if grant is not None and name in {"licensor", "licensor_ipi", "material", "layer"}:
        return False
    if subject.layer == "WORK":
        return name not in {"material", "layer"}
    return name not in {"cmo_status", "cmo_in_repertoire"} and not (
        subject.kind == "recordings" and name in {"material", "layer"}
    )


def _says_more(form: RecordForm, names: tuple[str, ...], grant: LicenceGrant | None) -> bool:
    """Whether a folded section holds something the record already says."""
    usual = {name: RecordForm.base_fields[name].initial or "" for name in names}
    return grant is not None and any((form.initial.get(name) or "") != usual[name] for name in names)
