"""Who acts for a label. Only its owners name and remove people, and nobody removes herself."""

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from catalog.models import Party
from store import access
from store.forms import MemberForm
from store.models import Membership, User
from store.views.studio import for_label, page, sent


def is_owner(request: HttpRequest, label: Party) -> bool:
    return Membership.objects.filter(user=request.user.pk, label=label, role=Membership.Role.OWNER).exists()


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def settings_page(request: HttpRequest, label: Party) -> HttpResponse:
    owner = is_owner(request, label)
    form = MemberForm(*sent(request))
    if request.method == "POST":
        if not owner:
            raise Http404("Only an owner names members.")
        if form.is_valid() and _joined(form, label, by=request.user):
            messages.success(request, f"{form.cleaned_data['email']} now acts for {label.name}.")
            return redirect("studio-settings", label.slug)
    members = Membership.objects.filter(label=label).select_related("user").order_by("role", "user__email")
    return page(
        request, "settings", label=label, place="settings", members=members, form=form, is_owner=owner,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


def _joined(form: MemberForm, label: Party, *, by: User | AnonymousUser) -> bool:
    user = User.objects.filter(email=form.cleaned_data["email"].lower()).first()
    if user == by:
        form.add_error("email", "This is you. Another owner can change your role.")
        return False
    if user is None:
        form.add_error("email", "Nobody has an account with this address. Ask the person to sign up first.")
        return False
    access.join(user, label, role=form.cleaned_data["role"])
    return True


@require_POST
@for_label
def remove_member(request: HttpRequest, label: Party, key: int) -> HttpResponse:
    if not is_owner(request, label):
        raise Http404("Only an owner removes members.")
    member = get_object_or_404(Membership.objects.exclude(user=request.user.pk), pk=key, label=label)
    member.delete()
    messages.success(request, f"{member.user.email} no longer acts for {label.name}.")
    return redirect("studio-settings", label.slug)
