"""Stripe Tax as far as we ask for it: the tax inside a page's lines, by the country of the buyer's address.

It knows a few countries, as percentages; elsewhere it collects nothing, and without an address it fails.
"""

from payments.sandbox.errors import ApiError
from payments.sandbox.state import Body

HOME = "DE"
PERCENT = {"AT": 20, "DE": 19, "FR": 20, "GB": 20}
SELF = {"account": None, "type": "self"}


def asked(params: Body) -> Body:
    """What a new page says of its tax."""
    if not (params.get("automatic_tax") or {}).get("enabled"):
        return {"enabled": False, "liability": None, "provider": None, "status": None}
    return {"enabled": True, "liability": SELF, "provider": "stripe", "status": "requires_location_inputs"}


def check(params: Body) -> None:
    """Refuse what this sandbox would reckon otherwise than Stripe: raises ApiError."""
    if not (params.get("automatic_tax") or {}).get("enabled"):
        return
    for place, item in enumerate(params["line_items"]):
        price = item["price_data"]
        if price.get("tax_behavior") != "inclusive" or not price["product_data"].get("tax_code"):
            raise ApiError(
                "This sandbox reckons tax inside prices with a tax_code only.", param=f"line_items[{place}][price_data]"
            )


def reckoned(session: Body, lines: list[Body], country: str) -> Body:
    """What becomes of the page's fields once the buyer has given her address."""
    if not session["automatic_tax"]["enabled"]:
        return {}
    total = sum(inside(line["amount"], country) for line in lines)
    nothing = dict.fromkeys(("city", "line1", "line2", "postal_code", "state"))
    address = {**nothing, "country": country or None}
    return {
        "automatic_tax": {**session["automatic_tax"], "status": "complete" if country else "failed"},
        "total_details": {**session["total_details"], "amount_tax": total},
        "customer_details": {"address": address, "business_name": None, "email": session["customer_email"],
                             "individual_name": None, "name": None, "phone": None, "tax_exempt": "none",
                             "tax_ids": []},
    }  # fmt: skip


def inside(amount: int, country: str) -> int:
    """The tax in an amount, rounded half up."""
    percent = PERCENT.get(country, 0)
    return (2 * amount * percent + 100 + percent) // (2 * (100 + percent))


def items(session: Body, lines: list[Body], country: str) -> list[Body]:
    """The lines of a page as Stripe lists them, with their taxes."""
    reckons = session["automatic_tax"]["status"] == "complete"
    return [
        {
            "id": f"li_{session['id'][8:]}_{place}", "object": "item", "adjustable_quantity": None,
            "amount_discount": 0, "amount_subtotal": line["amount"],
            "amount_tax": inside(line["amount"], country) if reckons else 0, "amount_total": line["amount"],
            "currency": line["currency"], "description": line["name"], "discounts": [], "metadata": {}, "price": None,
            "quantity": line["quantity"], "taxes": [_tax(line["amount"], country)] if reckons else [],
        }
        for place, line in enumerate(lines)
    ]  # fmt: skip


def _tax(amount: int, country: str) -> Body:
    percent = PERCENT.get(country, 0)
    rate = {
        "id": f"txr_{country.lower()}", "object": "tax_rate", "active": True, "country": country, "created": 0,
        "description": None, "display_name": "VAT", "effective_percentage": percent, "flat_amount": None,
        "inclusive": True, "jurisdiction": country, "jurisdiction_level": "country", "livemode": False, "metadata": {},
        "percentage": percent, "rate_type": "percentage", "state": None, "tax_type": "vat",
    }  # fmt: skip
    return {
        "amount": inside(amount, country), "rate": rate, "taxable_amount": amount,
        "taxability_reason": "standard_rated" if percent else "not_collecting",
    }  # fmt: skip
