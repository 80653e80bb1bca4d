"""The hosted pages: pay, onboard, and what this server is. No scripts, nothing loaded from elsewhere."""

from collections.abc import Mapping
from decimal import Decimal
from html import escape
from pathlib import Path

from payments.money import Currency
from payments.sandbox.state import Body

STYLE = (Path(__file__).parent / "sandbox.css").read_bytes()
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action *; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def amount(minor: int, code: str) -> str:
    currency = Currency(code.upper())
    return f"{Decimal(minor).scaleb(-currency.exponent):,.{currency.exponent}f} {currency.code}"


def pay(session: Body, lines: list[Body]) -> str:
    rows = "".join(
        f"<tr><td>{escape(line['name'])}"
        + (f"<small>{escape(line['description'])}</small>" if line["description"] else "")
        + f"</td><td>{amount(line['amount'], line['currency'])}</td></tr>"
        for line in lines
    )
    buyer = session.get("customer_email")
    total = amount(session["amount_total"], session["currency"])
    return _page(
        "Test payment",
        f"""<h1>Pay {total}</h1>
<p class="lead">{f"For {escape(buyer)}. " if buyer else ""}Order {escape(session.get("client_reference_id") or "")}</p>
<table><caption>What you pay for</caption><tbody>{rows}</tbody>
<tfoot><tr><th scope="row">Total</th><td>{total}</td></tr></tfoot></table>
<form method="post" action="/pay/{session["id"]}">
<button name="action" value="pay" class="main" autofocus>Pay {total}</button>
<button name="action" value="later">Pay by bank debit, which takes days</button>
<button name="action" value="decline">Decline the payment</button>
</form>
<p class="note">A live shop shows the page of Stripe here and asks for a card or another way to pay.
This one asks for nothing, because nothing is paid.</p>""",
    )


def closed(session: Body) -> str:
    if session["status"] == "complete" and session["payment_status"] == "unpaid":
        return _on_its_way(session)
    words = {
        "complete": ("Already paid", "This payment was made before; it is not made twice."),
        "expired": ("Too late", "This page has expired. Go back to the shop and start the payment again."),
    }
    title, text = words.get(session["status"], ("Not open", "There is nothing to pay here."))
    back = session.get("success_url" if session["status"] == "complete" else "cancel_url") or ""
    back = back.replace("{CHECKOUT_SESSION_ID}", session["id"])
    link = f'<p><a class="main" href="{escape(back)}">Back to the shop</a></p>' if back.startswith("http") else ""
    return _page(title, f"<h1>{title}</h1><p class=lead>{text}</p>{link}")


def _on_its_way(session: Body) -> str:
    total = amount(session["amount_total"], session["currency"])
    return _page(
        "On its way",
        f"""<h1>{total} are on their way</h1>
<p class="lead">Order {escape(session.get("client_reference_id") or "")}.
Days may pass here before the bank answers.</p>
<form method="post" action="/pay/{session["id"]}">
<button name="action" value="arrive" class="main">The bank pays</button>
<button name="action" value="bounce">The bank refuses</button>
</form>""",
    )


def onboard(account: Body, link: str) -> str:
    name = (account.get("business_profile") or {}).get("name") or account.get("email") or account["id"]
    return _page(
        "Test onboarding",
        f"""<h1>Get paid as {escape(name)}</h1>
<p class="lead">Country {escape(account.get("country") or "not given")} · account {account["id"]}</p>
<p>A live shop sends you to Stripe here, which asks who you are and where your money goes.
This page takes your word for it.</p>
<form method="post" action="/onboard/{link}"><button class="main" autofocus>Confirm and return</button></form>""",
    )


def refused(title: str, text: str) -> str:
    return _page(title, f"<h1>{escape(title)}</h1><p class=lead>{escape(text)}</p>")


def front(charges: list[Body], disputes: Mapping[str, Body]) -> str:
    rows = "".join(
        f"<tr><td>{escape((charge['metadata'] or {}).get('reference') or charge['id'])}<small>{charge['status']}"
        + (", disputed: " + disputes[charge["id"]]["status"].replace("_", " ") if charge["id"] in disputes else "")
        + f"</small></td><td>{amount(charge['amount'], charge['currency'])}</td>"
        f"<td>{_buttons(charge, disputes.get(charge['id']))}</td></tr>"
        for charge in charges
    )
    table = f"<table><caption>The latest payments</caption><tbody>{rows}</tbody></table>" if rows else ""
    return _page(
        "Payment sandbox",
        f"""<h1>Payment sandbox</h1>
<p class="lead">This server stands in for Stripe where a shop has no Stripe keys.</p>
<p>It speaks the HTTP of Stripe for the calls the shop makes, shows the test payment page and sends the webhooks.
It moves no money and knows no card.</p>{table}""",
    )


def _buttons(charge: Body, dispute: Body | None) -> str:
    """What the buyer, or her bank, may do about a payment now."""
    if dispute is None:
        acts = [("dispute", charge["id"], "Dispute it at the bank")] if charge["paid"] else []
    elif dispute["status"] in {"won", "lost", "warning_closed"}:
        acts = []
    else:
        acts = [("win", dispute["id"], "The shop wins"), ("lose", dispute["id"], "The buyer wins")]
    return "".join(
        f'<form method="post" action="/"><input type="hidden" name="about" value="{about}">'
        f'<button name="action" value="{act}">{word}</button></form>'
        for act, about, word in acts
    )


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">
<title>{escape(title)} · sandbox</title><link rel="stylesheet" href="/sandbox.css"></head>
<body><p class="test" role="note"><strong>Test page.</strong> No real money moves.</p><main>{body}</main></body></html>
"""
