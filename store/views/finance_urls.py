"""Addresses of the desk of finance staff, under /finance/."""

from django.urls import path

from store.views import (
    finance,
    finance_books,
    finance_codes,
    finance_handed_in,
    finance_payouts,
    finance_tax,
    finance_terms,
)

urlpatterns = [
    path("", finance.overview, name="finance"),
    path("payouts/", finance_payouts.overview, name="finance-payouts"),
    path("payouts/send/", finance_payouts.send, name="finance-payouts-send"),
    path("payouts/export/", finance_payouts.export, name="finance-payouts-export"),
    path("payouts/<slug:number>/answer/", finance_payouts.answer, name="finance-payout-answer"),
    path("payouts/files/<slug:number>.xml", finance_payouts.file, name="finance-payout-file"),
    path("payees/<uuid:public_id>/", finance_payouts.payee, name="finance-payee"),
    path("payees/accounts/<uuid:public_id>/", finance_handed_in.answer_account, name="finance-account-answer"),
    path("payees/forms/<uuid:public_id>/", finance_handed_in.answer_paper, name="finance-paper-answer"),
    path("payees/forms/<uuid:public_id>/file", finance_handed_in.paper_file, name="finance-paper-file"),
    path("codes/", finance_codes.codes_page, name="finance-codes"),
    path("codes/codes.csv", finance_codes.codes_csv, name="finance-codes-csv"),
    path("codes/<int:key>/end/", finance_codes.end_code, name="finance-code-end"),
    path("contracts/", finance_terms.contracts, name="finance-contracts"),
    path("contracts/<int:key>/end/", finance_terms.end_contract, name="finance-contract-end"),
    path("rates/", finance_terms.rate_cards, name="finance-rates"),
    path("rates/<int:key>/verify/", finance_terms.verify_rate, name="finance-rate-verify"),
    path("books/", finance_books.overview, name="finance-books"),
    path("books/<int:key>/explain/", finance_books.explain, name="finance-explain"),
    path("suspense/", finance_books.suspense, name="finance-suspense"),
    path("alerts/<int:key>/close/", finance.close_alert, name="finance-alert-close"),
    path("orders/", finance.orders, name="finance-orders"),
    path("orders/<str:number>/", finance.order, name="finance-order"),
    path("orders/<str:number>/lines/<uuid:line_id>/refund/", finance.refund, name="finance-refund"),
    path("refunds/", finance.refund_list, name="finance-refunds"),
    path("refunds/<int:key>/again/", finance.refund_again, name="finance-refund-again"),
    path("chargebacks/", finance.chargeback_list, name="finance-chargebacks"),
    path("tax/", finance_tax.overview, name="finance-tax"),
    path("tax/vies/<str:number>/", finance_tax.ask_vies, name="finance-vies"),
    path("tax/oss-<str:quarter>.csv", finance_tax.oss_csv, name="finance-oss"),
]
