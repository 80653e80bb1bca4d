"""Who acts for a label, and where it is asked for more. Only its owners name and remove people, and nobody herself."""

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from catalog.models import Party
from store import access, corrections
from store.forms import MemberForm, MoreForm
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
    return _shown(request, label, form=form)


def _shown(
    request: HttpRequest, label: Party, *, form: MemberForm | None = None, more_form: MoreForm | None = None
) -> HttpResponse:
    members = Membership.objects.filter(label=label).select_related("user").order_by("role", "user__email")
    bound = any(one is not None and one.is_bound for one in (form, more_form))
    return page(
        request, "settings", label=label, place="settings", members=members, form=form or MemberForm(),
        more_form=more_form or MoreForm(initial={"url": label.more_permissions_url}),
        is_owner=is_owner(request, label), status=422 if bound else 200,
    )  # fmt: skip


@require_POST
@for_label
def more(request: HttpRequest, label: Party) -> HttpResponse:
    if not is_owner(request, label):
        raise Http404("Only an owner says where the label is asked for more.")
    form = MoreForm(request.POST)
    if not form.is_valid():
        return _shown(request, label, more_form=form)
    corrections.say_where_more_is_asked(label, url=form.cleaned_data["url"])
    messages.success(request, "Said in every file from now on; finished files follow by themselves.")
    return redirect("studio-settings", label.slug)


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
