"""The objects of Stripe as they begin, before anything happened to them. `created` is filled in when they are kept."""

from payments.money import Currency
from payments.sandbox import taxes
from payments.sandbox.state import Body

SESSION_SECONDS = 24 * 3600


def session(params: Body, currency: Currency, total: int, now: int) -> Body:
    return {
        "after_expiration": None, "allow_promotion_codes": None, "amount_subtotal": total, "amount_total": total,
        "automatic_tax": taxes.asked(params),
        "billing_address_collection": None, "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"), "created": now,
        "currency": currency.code.lower(), "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None,
                        "terms_of_service_acceptance": None},
        "customer": None, "customer_creation": "if_required",
        "customer_details": None, "customer_email": params.get("customer_email"),
        "expires_at": params.get("expires_at", now + SESSION_SECONDS), "invoice": None, "livemode": False,
        "locale": params.get("locale"), "metadata": params.get("metadata") or {}, "mode": "payment",
        "origin_context": None, "payment_intent": None, "payment_link": None,
        "payment_method_collection": "if_required", "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "unpaid",
        "redirect_on_completion": "always", "setup_intent": None, "shipping_options": [], "status": "open",
        "submit_type": None, "subscription": None, "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page", "url": None,
    }  # fmt: skip


def intent(session: Body, data: Body) -> Body:
    return {
        "amount": session["amount_total"], "amount_capturable": 0, "amount_received": 0, "application": None,
        "cancellation_reason": None, "capture_method": "automatic", "confirmation_method": "automatic",
        "created": 0, "currency": session["currency"], "customer": None,
        "description": data.get("description"), "latest_charge": None, "livemode": False,
        "metadata": data.get("metadata") or {}, "on_behalf_of": None, "payment_method": None,
        "payment_method_types": ["card", "sepa_debit"], "payment_record": None, "receipt_email": None, "review": None,
        "setup_future_usage": None, "source": None, "status": "processing",
        "transfer_group": data.get("transfer_group"),
    }  # fmt: skip


CARD = {"card": {"brand": "visa", "country": "DE", "last4": "4242"}, "type": "card"}
BANK_DEBIT = {
    "sepa_debit": {"bank_code": None, "branch_code": None, "country": "DE", "fingerprint": None, "last4": "3000",
                   "mandate": None},
    "type": "sepa_debit",
}  # fmt: skip


def charge(session: Body, intent: Body, *, method: Body) -> Body:
    """A payment by card, or by bank debit, which the bank has yet to answer."""
    arrived = method is CARD
    details = {"address": None, "email": session["customer_email"], "name": None, "phone": None, "tax_id": None}
    return {
        "amount": intent["amount"], "amount_captured": intent["amount"], "amount_refunded": 0, "application": None,
        "application_fee": None, "balance_transaction": None, "billing_details": details, "captured": True,
        "created": 0, "currency": intent["currency"], "customer": None, "description": None,
        "disputed": False, "failure_balance_transaction": None, "failure_code": None, "failure_message": None,
        "livemode": False, "metadata": intent["metadata"], "on_behalf_of": None, "paid": arrived,
        "payment_intent": intent["id"], "payment_method": None,
        "payment_method_details": method, "refunded": False, "review": None, "source": None,
        "source_transfer": None, "status": "succeeded" if arrived else "pending", "transfer": None,
        "transfer_group": intent["transfer_group"],
    }  # fmt: skip


def refund(charge: Body, amount: int, params: Body) -> Body:
    """Done at once for a card; to a bank account it is on its way for some days."""
    done = charge["payment_method_details"]["type"] == "card"
    return {
        "amount": amount, "balance_transaction": None, "charge": charge["id"], "created": 0,
        "currency": charge["currency"], "customer": None, "failure_balance_transaction": None,
        "metadata": params.get("metadata") or {},
        "payment_intent": charge["payment_intent"], "payment_method": None, "pending_reason": None,
        "reason": params.get("reason"), "receipt_number": None, "source_transfer_reversal": None,
        "status": "succeeded" if done else "pending", "transfer_reversal": None,
    }  # fmt: skip


def account(params: Body, *, transfers: bool) -> Body:
    return {
        "business_profile": {"name": (params.get("business_profile") or {}).get("name")},
        "business_type": params.get("business_type"),
        "capabilities": {"transfers": "inactive"} if transfers else {},
        "charges_enabled": False, "country": params.get("country"), "created": 0,
        "default_currency": "eur", "details_submitted": False, "email": params.get("email"),
        "metadata": params.get("metadata") or {}, "payouts_enabled": False, "type": params["type"],
        "requirements": requirements(["business_type", "external_account", "tos_acceptance.date"]),
    }  # fmt: skip


def requirements(due: list[str]) -> Body:
    """What an account still has to tell; it waits as long as there is something."""
    return {
        "alternatives": [], "current_deadline": None, "currently_due": due, "errors": [], "eventually_due": due,
        "disabled_reason": "requirements.past_due" if due else None, "past_due": due, "pending_verification": [],
    }  # fmt: skip


def transfer(params: Body, amount: int, currency: Currency) -> Body:
    return {
        "amount": amount, "amount_reversed": 0, "balance_transaction": None, "created": 0,
        "currency": currency.code.lower(), "description": params.get("description"),
        "destination": params["destination"], "destination_payment": None, "livemode": False,
        "metadata": params.get("metadata") or {},
        "reversals": {"object": "list", "data": [], "has_more": False, "url": ""}, "reversed": False,
        "source_transaction": params.get("source_transaction"), "source_type": params.get("source_type", "card"),
        "transfer_group": params.get("transfer_group"),
    }  # fmt: skip


def dispute(charge: Body, amount: int, *, reason: str, status: str) -> Body:
    """A buyer's complaint at her bank, before anybody answered it."""
    nothing = dict.fromkeys((
        "access_activity_log", "appeal", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
        "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
        "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation",
        "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy",
        "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
        "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number",
        "uncategorized_file", "uncategorized_text",
    ))  # fmt: skip
    return {
        "amount": amount, "balance_transactions": [], "charge": charge["id"], "created": 0,
        "currency": charge["currency"], "enhanced_eligibility_types": [],
        "evidence": {**nothing, "enhanced_evidence": {}},
        "evidence_details": {"due_by": None, "enhanced_eligibility": {}, "has_evidence": False, "past_due": False,
                             "submission_count": 0, "submission_method": "manual"},
        "is_charge_refundable": status.startswith("warning"), "livemode": False, "metadata": {},
        "network_reason_code": "10.4", "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "inquiry" if status.startswith("warning") else "chargeback",
                     "network": "visa", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": reason, "status": status,
    }  # fmt: skip


def reversal(transfer: Body, amount: int, params: Body) -> Body:
    """Money of a transfer taken back from the connected account."""
    return {
        "amount": amount, "balance_transaction": None, "created": 0, "currency": transfer["currency"],
        "destination_payment_refund": None, "metadata": params.get("metadata") or {}, "source_refund": None,
        "transfer": transfer["id"],
    }  # fmt: skip
