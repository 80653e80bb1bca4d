"""Every address of the shop."""

from django.contrib import admin
from django.urls import include, path, register_converter

from store.views import (
    account,
    attachments,
    basket,
    certificates,
    checkout,
    credit,
    formats,
    gifts,
    invoices,
    library,
    media,
    ops,
    pages,
    release,
    reports_page,
    shop,
    stripe,
    studio_payees,
)


class Sha256:
    """A SHA-256 in small hexadecimal digits, the one way we write it."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Sha256, "sha256")

urlpatterns = [
    path("", shop.home, name="home"),
    path("browse", shop.browse, name="browse"),
    path("search", shop.search, name="search"),
    path("artist/<slug:slug>", shop.artist, name="artist"),
    path("label/<slug:slug>", shop.label, name="label"),
    path("release/<slug:slug>", release.release, name="release"),
    path("country", shop.country, name="country"),
    path("currency", shop.currency, name="currency"),
    path("preview/<uuid:public_id>.<slug:extension>", media.preview, name="track-preview"),
    path("peaks/<uuid:public_id>.json", media.peaks, name="peaks"),
    path("artwork/<sha256:sha256>-<int:size>.webp", media.artwork, name="artwork"),
    path("evidence/<uuid:public_id>/page-<int:number>.webp", attachments.evidence_page, name="evidence-page"),
    path("basket", basket.basket, name="basket"),
    path("basket/add", basket.add, name="basket-add"),
    path("basket/remove", basket.remove, name="basket-remove"),
    path("basket/code", basket.use_code, name="basket-code"),
    path("checkout", checkout.checkout, name="checkout"),
    path("checkout/business", checkout.business, name="checkout-business"),
    path("checkout/<uuid:public_id>/pay", checkout.pay, name="checkout-again"),
    path("checkout/<uuid:public_id>/cancel", checkout.give_up, name="checkout-cancel"),
    path("checkout/<uuid:public_id>/return", checkout.returned, name="checkout-return"),
    path("account/credit", credit.overview, name="credit"),
    path("account/credit/redeem", credit.redeem, name="credit-redeem"),
    path("account/credit/<uuid:public_id>/return", credit.returned, name="credit-return"),
    path("account/credit/<uuid:public_id>/back", credit.give_back, name="credit-back"),
    path("gift-cards", credit.give, name="gift-cards"),
    path("gift-cards/<str:token>", credit.gift_card, name="gift-card"),
    path("orders/", account.orders, name="orders"),
    path("orders/<uuid:public_id>", library.order, name="order"),
    path("invoices/<uuid:public_id>.pdf", invoices.pdf, name="invoice-pdf"),
    path("orders/<uuid:public_id>/lines/<uuid:line_id>/return", library.give_back, name="order-return"),
    path("orders/<uuid:public_id>/gift", gifts.send_again, name="gift-again"),
    path("gifts/<str:token>", gifts.gift, name="gift"),
    path("payees/<str:token>", studio_payees.bank_account, name="bank-account"),
    path("library/", library.library, name="library"),
    path("download", library.start, name="download-start"),
    path("download/<str:token>", library.download, name="download"),
    path("download/<str:token>.zip", library.download, name="release-zip"),
    path("certificates/<uuid:public_id>", certificates.certificate, name="certificate"),
    path("certificates/<uuid:public_id>.json", certificates.certificate_json, name="certificate-json"),
    path("certificates/<uuid:public_id>.pdf", certificates.certificate_pdf, name="certificate-pdf"),
    path("proof/heads", certificates.heads, name="proof-heads"),
    path("proof/heads.json", certificates.heads_json, name="proof-heads-json"),
    path("proof/keys", certificates.keys, name="proof-keys"),
    path("proof/keys.json", certificates.keys_json, name="proof-keys-json"),
    path("proof/<sha256:sound>", certificates.proof, name="proof"),
    path("report", reports_page.report, name="report"),
    path("report/sent", reports_page.sent_page, name="report-sent"),
    path("report/<str:token>", reports_page.confirm, name="report-confirm"),
    path("notices/<str:token>", reports_page.claimant, name="notice-claimant"),
    path("about", pages.about, name="about"),
    path("formats", formats.page, name="formats"),
    path("terms", pages.terms, name="terms"),
    path("privacy", pages.privacy, name="privacy"),
    path("healthz", pages.healthz, name="healthz"),
    path("stripe/webhook", stripe.receive_event, name="stripe-webhook"),
    path("ops/", ops.overview, name="ops"),
    path("ops/metrics", ops.prometheus, name="ops-metrics"),
    path("studio/", include("store.views.studio_urls")),
    path("review/", include("store.views.review_urls")),
    path("finance/", include("store.views.finance_urls")),
    path("account/", account.account, name="account"),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
