"""Approved bytes that are no longer what was approved, for the reviewers to follow up."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from licensing import scrubbing
from store import alterations
from store.models import User
from store.views.review import PAGE, for_reviewer, page


@require_safe
@for_reviewer
def altered(request: HttpRequest, reviewer: User) -> HttpResponse:  # noqa: ARG001 - a view
    paged = Paginator(scrubbing.altered(), PAGE).get_page(request.GET.get("page"))
    return page(request, "altered", found=alterations.read(paged.object_list), page=paged)
