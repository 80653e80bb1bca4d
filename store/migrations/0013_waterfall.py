"""Splits for a release or a recording, what was agreed with a label, and what is kept back of a sale.

- On no day do the letters of one holder and scope give away more than the whole of a layer, reckoned in exact
  fractions; letters of one holder are written one at a time.
- At most one contract on the commission holds for a label on any day.
- Contracts, advances, recoupments and reserves are never changed but for how they end, and never deleted.
"""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

WHOLE = """
CREATE FUNCTION store_letters_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one_layer text;
    one_day date;
    given record;
    above numeric;
    below numeric;
BEGIN
    PERFORM 1 FROM licensing_rightsholder WHERE id = NEW.holder_id FOR NO KEY UPDATE;
    FOREACH one_layer IN ARRAY ARRAY['RECORDING', 'WORK'] LOOP
        CONTINUE WHEN NEW.layer NOT IN ('', one_layer);
        FOR one_day IN
            SELECT DISTINCT greatest(letter.starts_on, NEW.starts_on) FROM store_letterofdirection letter
            WHERE letter.holder_id = NEW.holder_id AND (letter.until IS NULL OR letter.until > NEW.starts_on)
              AND (NEW.until IS NULL OR letter.starts_on < NEW.until)
        LOOP
            above := 0;
            below := 1;
            FOR given IN
                SELECT letter.share_numerator, letter.share_denominator FROM store_letterofdirection letter
                WHERE letter.holder_id = NEW.holder_id AND letter.layer IN ('', one_layer)
                  AND letter.release_id IS NOT DISTINCT FROM NEW.release_id
                  AND letter.recording_id IS NOT DISTINCT FROM NEW.recording_id
                  AND letter.starts_on <= one_day AND (letter.until IS NULL OR letter.until > one_day)
            LOOP
                above := above * given.share_denominator + below * given.share_numerator;
                below := below * given.share_denominator;
            END LOOP;
            IF above > below THEN
                RAISE EXCEPTION 'store: the letters of holder % give away more than the whole on %', NEW.holder_id, one_day
                    USING ERRCODE = 'check_violation';
            END IF;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER store_letters_whole AFTER INSERT ON store_letterofdirection
    FOR EACH ROW EXECUTE FUNCTION store_letters_whole();
"""

CONTRACTS = """
CREATE FUNCTION store_commission_alone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM catalog_party WHERE id = NEW.label_id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT 1 FROM store_commissioncontract other
        WHERE other.label_id = NEW.label_id AND other.id <> NEW.id
          AND (other.until IS NULL OR other.until > NEW.starts_on)
          AND (NEW.until IS NULL OR other.starts_on < NEW.until)
          AND other.starts_on IS DISTINCT FROM other.until
    ) THEN
        RAISE EXCEPTION 'store: label % has another commission on one of these days', NEW.label_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_commission_alone AFTER INSERT ON store_commissioncontract
    FOR EACH ROW EXECUTE FUNCTION store_commission_alone();
"""

ONLY = """
CREATE FUNCTION store_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - TG_ARGV <> to_jsonb(OLD) - TG_ARGV THEN
        RAISE EXCEPTION 'store: of % only % may change', TG_TABLE_NAME, TG_ARGV USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION store_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) ->> TG_ARGV[0] IS NOT NULL THEN
        RAISE EXCEPTION 'store: % of % is set once', TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""

MAY_CHANGE = {
    "commissioncontract": ["until"],
    "advance": ["recouped_micros"],
    "recoupment": ["undone_at"],
    "reserve": ["released_at", "release_reference"],
}
ONCE = {"commissioncontract": "until", "recoupment": "undone_at", "reserve": "released_at"}


def guards() -> str:
    found = []
    for table, columns in MAY_CHANGE.items():
        names = ", ".join(f"'{column}'" for column in columns)
        found.append(
            f"CREATE TRIGGER store_{table}_only BEFORE UPDATE ON store_{table} "
            f"FOR EACH ROW EXECUTE FUNCTION store_only({names});"
        )
        found.append(
            f"CREATE TRIGGER store_{table}_kept BEFORE DELETE ON store_{table} "
            "FOR EACH ROW EXECUTE FUNCTION store_refuse();"
        )
    for table, column in ONCE.items():
        found.append(
            f"CREATE TRIGGER store_{table}_once BEFORE UPDATE ON store_{table} "
            f"FOR EACH ROW EXECUTE FUNCTION store_once('{column}');"
        )
    return "\n".join(found)


def unguarded() -> str:
    drops = [f"DROP TRIGGER store_{table}_once ON store_{table};" for table in ONCE]
    for table in MAY_CHANGE:
        drops += [
            f"DROP TRIGGER store_{table}_kept ON store_{table};",
            f"DROP TRIGGER store_{table}_only ON store_{table};",
        ]
    return "\n".join(drops)


REVERSE = """
DROP FUNCTION store_once();
DROP FUNCTION store_only();
DROP TRIGGER store_commission_alone ON store_commissioncontract;
DROP FUNCTION store_commission_alone();
DROP TRIGGER store_letters_whole ON store_letterofdirection;
DROP FUNCTION store_letters_whole();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_musicbrainz"),
        ("licensing", "0011_large_notices"),
        ("payments", "0005_waterfall"),
        ("store", "0012_taxes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Advance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("currency", models.CharField(max_length=3)),
                ("amount_micros", models.BigIntegerField()),
                ("recouped_micros", models.BigIntegerField(default=0)),
                ("share_numerator", models.BigIntegerField(default=1)),
                ("share_denominator", models.BigIntegerField(default=1)),
                ("given_on", models.DateField()),
                ("agreement", models.CharField(max_length=200)),
                ("recorded_by", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["given_on", "pk"],
            },
        ),
        migrations.CreateModel(
            name="CommissionContract",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("share_numerator", models.BigIntegerField()),
                ("share_denominator", models.BigIntegerField()),
                ("starts_on", models.DateField()),
                ("until", models.DateField(blank=True, null=True)),
                ("agreement", models.CharField(max_length=200)),
                ("recorded_by", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["label_id", "starts_on", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Recoupment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("micros", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Reserve",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("micros", models.BigIntegerField()),
                ("release_on", models.DateField()),
                ("held_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("release_reference", models.CharField(blank=True, max_length=160)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddField(
            model_name="letterofdirection",
            name="recording",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.recording",
            ),
        ),
        migrations.AddField(
            model_name="letterofdirection",
            name="release",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.release",
            ),
        ),
        migrations.AddField(
            model_name="orderline",
            name="terms",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="letterofdirection",
            constraint=models.CheckConstraint(
                condition=models.Q(("release", None), ("recording", None), _connector="OR"), name="letter_one_scope"
            ),
        ),
        migrations.AddConstraint(
            model_name="letterofdirection",
            constraint=models.CheckConstraint(
                condition=models.Q(("signed_by", ""), _negated=True), name="letter_signed"
            ),
        ),
        migrations.AddField(
            model_name="advance",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="licensing.rightsholder"
            ),
        ),
        migrations.AddField(
            model_name="advance",
            name="payee",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.payee"),
        ),
        migrations.AddField(
            model_name="advance",
            name="repaid_to",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.payee"),
        ),
        migrations.AddField(
            model_name="commissioncontract",
            name="label",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.party"),
        ),
        migrations.AddField(
            model_name="recoupment",
            name="advance",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="recoupments", to="store.advance"
            ),
        ),
        migrations.AddField(
            model_name="recoupment",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="recoupments", to="store.orderline"
            ),
        ),
        migrations.AddField(
            model_name="reserve",
            name="line",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="reserve", to="store.orderline"
            ),
        ),
        migrations.AddIndex(
            model_name="advance",
            index=models.Index(
                condition=models.Q(("recouped_micros__lt", models.F("amount_micros"))),
                fields=["payee", "currency"],
                name="advance_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="advance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_micros__gt", 0),
                    ("recouped_micros__gte", 0),
                    ("recouped_micros__lte", models.F("amount_micros")),
                ),
                name="advance_never_recouped_above_given",
            ),
        ),
        migrations.AddConstraint(
            model_name="advance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("share_denominator__gt", 0),
                    ("share_numerator__gt", 0),
                    ("share_numerator__lte", models.F("share_denominator")),
                ),
                name="advance_share_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="advance",
            constraint=models.CheckConstraint(
                condition=models.Q(("payee", models.F("repaid_to")), _negated=True), name="advance_between_two"
            ),
        ),
        migrations.AddConstraint(
            model_name="advance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("agreement", ""), _negated=True), models.Q(("recorded_by", ""), _negated=True)
                ),
                name="advance_agreed",
            ),
        ),
        migrations.AddConstraint(
            model_name="advance",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="advance_currency_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="commissioncontract",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("share_denominator__gt", 0),
                    ("share_numerator__gte", 0),
                    ("share_numerator__lte", models.F("share_denominator")),
                ),
                name="commission_share_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="commissioncontract",
            constraint=models.CheckConstraint(
                condition=models.Q(("until__isnull", True), ("until__gte", models.F("starts_on")), _connector="OR"),
                name="commission_ends_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="commissioncontract",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("agreement", ""), _negated=True), models.Q(("recorded_by", ""), _negated=True)
                ),
                name="commission_agreed",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoupment",
            constraint=models.UniqueConstraint(fields=("line", "advance"), name="recoupment_once"),
        ),
        migrations.AddConstraint(
            model_name="recoupment",
            constraint=models.CheckConstraint(condition=models.Q(("micros__gt", 0)), name="recoupment_is_money"),
        ),
        migrations.AddIndex(
            model_name="reserve",
            index=models.Index(
                condition=models.Q(("released_at", None)), fields=["release_on"], name="reserve_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="reserve",
            constraint=models.CheckConstraint(condition=models.Q(("micros__gt", 0)), name="reserve_is_money"),
        ),
        migrations.AddConstraint(
            model_name="reserve",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("release_reference", ""), ("released_at", None)),
                    models.Q(("released_at__isnull", False), models.Q(("release_reference", ""), _negated=True)),
                    _connector="OR",
                ),
                name="reserve_release_whole",
            ),
        ),
        migrations.RunSQL(WHOLE + CONTRACTS + ONLY + guards(), unguarded() + REVERSE),
    ]
