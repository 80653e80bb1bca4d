"""A label's list says what each of its releases and tracks costs in a currency, unless one has a price of its own.

What is on the list stands as a price of each thing, so that all that asks for prices sees one table.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.lookups import Exact

MOST_MINOR = 10**12 - 1
STEPS = {
    1: """
        AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY
        COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD
        JPY KES KGS KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN
        NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB
        TJS TOP TRY TTD TWD TZS UAH USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    """,
    10: "BHD JOD KWD OMR TND",
    100: "ISK UGX",
}


def chargeable() -> Q:
    """As in store.models.columns, of this day's currencies."""
    condition = Q()
    for step, words in sorted(STEPS.items()):
        whole = Q(currency__in=words.split())
        condition |= whole & Q(Exact(F("amount_minor") % step, 0)) if step > 1 else whole
    return condition


FOLLOW = """
CREATE FUNCTION store_price_by_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'catalog_release' THEN
        INSERT INTO store_price (release_id, currency, amount_minor, or_more, by_list, set_by, set_at)
            SELECT NEW.id, currency, amount_minor, or_more, true, set_by, clock_timestamp() FROM store_listprice
            WHERE label_id = NEW.label_id AND kind = 'RELEASE' ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO store_price (recording_id, currency, amount_minor, or_more, by_list, set_by, set_at)
            SELECT NEW.id, currency, amount_minor, or_more, true, set_by, clock_timestamp() FROM store_listprice
            WHERE label_id = NEW.label_id AND kind = 'TRACK' ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_price_by_list AFTER INSERT ON catalog_release FOR EACH ROW EXECUTE FUNCTION store_price_by_list();
CREATE TRIGGER store_price_by_list AFTER INSERT ON catalog_recording FOR EACH ROW EXECUTE FUNCTION store_price_by_list();
"""
NO_FOLLOW = """
DROP TRIGGER store_price_by_list ON catalog_recording;
DROP TRIGGER store_price_by_list ON catalog_release;
DROP FUNCTION store_price_by_list();
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0015_named_prices")]

    operations = [
        migrations.AddField("price", "by_list", models.BooleanField(default=False, db_default=False)),
        migrations.AddConstraint("price", models.CheckConstraint(condition=chargeable(), name="price_chargeable")),
        migrations.CreateModel(
            "ListPrice",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("RELEASE", "Release"), ("TRACK", "Track")], max_length=7)),
                ("currency", models.CharField(max_length=3)),
                ("amount_minor", models.BigIntegerField()),
                ("or_more", models.BooleanField(default=False)),
                ("set_by", models.CharField(blank=True, max_length=100)),
                ("set_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "label",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.party"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["label", "kind", "currency"], name="listprice_once"),
                    models.CheckConstraint(condition=Q(kind__in=["RELEASE", "TRACK"]), name="listprice_kind_known"),
                    models.CheckConstraint(condition=chargeable(), name="listprice_chargeable"),
                    models.CheckConstraint(
                        condition=Q(amount_minor__gte=0, amount_minor__lte=MOST_MINOR), name="listprice_amount_bounds"
                    ),
                ]
            },
        ),
        migrations.RunSQL(FOLLOW, NO_FOLLOW),
    ]
