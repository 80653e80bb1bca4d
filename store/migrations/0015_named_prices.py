"""The buyer names her price, gives nothing, or has a code: what a line costs is its offer's price and what is said why.

What costs nothing is given away, and rests on the leave to give it away, whatever it was offered for.
"""

from importlib import import_module

from django.db import migrations, models
from django.db.models import F, Q

MOST_MINOR = 10**12 - 1
promises = import_module("store.migrations.0002_promises")


def again(text: str) -> str:
    """The function alone, in place of the one that stands."""
    function: str = text.partition("CREATE TRIGGER")[0]
    return function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


OFFER = (
    again(promises.OFFER)
    .replace("NEW.amount_minor, NEW", "NEW.amount_minor, NEW.or_more, NEW")
    .replace("OLD.amount_minor, OLD", "OLD.amount_minor, OLD.or_more, OLD")
)
LINE = again(promises.ORDER_LINE).replace(
    "offered.use, sale.country",
    "CASE WHEN NEW.amount_minor = 0 THEN 'FREE_DOWNLOAD' ELSE 'PERMANENT_DOWNLOAD' END, sale.country",
)

PRICED = """
CREATE FUNCTION store_orderline_priced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    offered store_offer%ROWTYPE;
    asked bigint;
    untaxed boolean;
BEGIN
    SELECT * INTO offered FROM store_offer WHERE id = NEW.offer_id;
    SELECT reverse_charge INTO untaxed FROM store_order WHERE id = NEW.order_id;
    asked := offered.amount_minor + NEW.given_minor - NEW.discount_minor;
    IF NEW.amount_minor > asked OR (NEW.amount_minor < asked AND NOT untaxed) THEN
        RAISE EXCEPTION 'store: the line costs something else than its offer asks' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.given_minor > 0 AND NOT offered.or_more THEN
        RAISE EXCEPTION 'store: the offer asks a fixed price' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_orderline_priced BEFORE INSERT ON store_orderline
    FOR EACH ROW EXECUTE FUNCTION store_orderline_priced();
"""
NOT_PRICED = """
DROP TRIGGER store_orderline_priced ON store_orderline;
DROP FUNCTION store_orderline_priced();
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0014_invoices")]

    operations = [
        migrations.AddField("price", "or_more", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("offer", "or_more", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("basketline", "named_minor", models.BigIntegerField(null=True, blank=True)),
        migrations.AddField("orderline", "given_minor", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddField("orderline", "discount_minor", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddConstraint(
            "basketline",
            models.CheckConstraint(
                condition=Q(named_minor=None) | Q(named_minor__gte=0, named_minor__lte=MOST_MINOR),
                name="basketline_named_bounds",
            ),
        ),
        migrations.AddConstraint(
            "orderline",
            models.CheckConstraint(
                condition=Q(given_minor__gte=0, given_minor__lte=F("amount_minor")), name="orderline_given_bounds"
            ),
        ),
        migrations.AddConstraint(
            "orderline",
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0, discount_minor__lte=MOST_MINOR), name="orderline_discount_bounds"
            ),
        ),
        migrations.RunSQL(OFFER + LINE + PRICED, NOT_PRICED + again(promises.ORDER_LINE) + again(promises.OFFER)),
    ]
