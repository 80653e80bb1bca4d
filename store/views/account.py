"""A person's own pages: overview and orders. Sign-in, e-mail, password and two-step sign-in are allauth's."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from store.models import Invoice, Order
from store.shop_forms import ProfileForm
from store.views.context import countries
from store.views.visitor import COUNTRY_KEY, signed_in


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=signed_in(request), countries=countries())
    if request.method == "POST" and form.is_valid():
        form.save()
        if form.cleaned_data["country"]:
            request.session[COUNTRY_KEY] = form.cleaned_data["country"]
        messages.success(request, "Your details are saved.")
        return redirect("account")
    return render(request, "shop/account.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@login_required
def orders(request: HttpRequest) -> HttpResponse:
    found = Order.objects.filter(buyer=signed_in(request)).annotate(count=Count("lines"))
    found = found.prefetch_related(Prefetch("invoices", Invoice.objects.only("public_id", "name", "order")))[:200]
    return render(request, "shop/orders.html", {"orders": found})
