"""What paying out needs: tax forms and what was withheld, bank details and files for the bank, months to be closed, and
what Stripe's books and ours do not say alike. Tax forms and withholdings are never changed.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0007_closed_periods"),
    ]

    operations = [
        migrations.CreateModel(
            name="BankDetails",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("holder", models.CharField(max_length=70)),
                ("iban", models.CharField(max_length=34)),
                ("bic", models.CharField(blank=True, max_length=11)),
                ("given_by", models.CharField(max_length=100)),
                ("given_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "bank details",
            },
        ),
        migrations.CreateModel(
            name="Discrepancy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("MISSING", "at Stripe, not in our ledger"),
                            ("EXTRA", "in our ledger, not at Stripe"),
                            ("ALTERED", "the amounts differ"),
                            ("FEE", "the fees differ"),
                        ],
                        max_length=8,
                    ),
                ),
                ("key", models.CharField(max_length=160)),
                ("currency", models.CharField(max_length=3)),
                ("stripe_micros", models.BigIntegerField()),
                ("ledger_micros", models.BigIntegerField()),
                ("about", models.CharField(blank=True, max_length=300)),
                ("first_seen", models.DateField()),
                ("last_seen", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[("OPEN", "to be explained"), ("EXPLAINED", "explained")], default="OPEN", max_length=10
                    ),
                ),
                ("explanation", models.TextField(blank=True)),
                ("explained_by", models.CharField(blank=True, max_length=100)),
                ("explained_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "discrepancies",
                "ordering": ["-first_seen", "pk"],
            },
        ),
        migrations.CreateModel(
            name="PayoutBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=35, unique=True)),
                ("currency", models.CharField(max_length=3)),
                ("payments", models.PositiveIntegerField()),
                ("control_sum_minor", models.BigIntegerField()),
                ("document", models.TextField(blank=True)),
                ("sha256", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("made_by", models.CharField(max_length=100)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("transactions", models.PositiveIntegerField()),
                ("postings", models.PositiveIntegerField()),
                ("found", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-day"],
            },
        ),
        migrations.CreateModel(
            name="StatementPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField(unique=True)),
                ("until", models.DateTimeField()),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("problem", models.TextField(blank=True)),
            ],
            options={
                "ordering": ["-since"],
            },
        ),
        migrations.CreateModel(
            name="TaxForm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("W-8BEN", "W-8BEN (not of the United States)"),
                            ("W-9", "W-9 (of the United States)"),
                            ("EU", "certificate of residence or exemption (EU)"),
                        ],
                        max_length=8,
                    ),
                ),
                ("country", models.CharField(max_length=2)),
                ("rate", models.PositiveIntegerField(default=0)),
                ("valid_from", models.DateField()),
                ("valid_to", models.DateField()),
                ("received_at", models.DateTimeField()),
                ("received_by", models.CharField(max_length=100)),
            ],
            options={
                "ordering": ["-received_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Withholding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("country", models.CharField(max_length=2)),
                ("currency", models.CharField(max_length=3)),
                ("basis_micros", models.BigIntegerField()),
                ("rate", models.PositiveIntegerField()),
                ("amount_micros", models.BigIntegerField()),
                ("reason", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="payout",
            name="payout_one_under_way",
        ),
        migrations.AddField(
            model_name="payee",
            name="asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="payee",
            name="minimum_minor",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="payee",
            name="route",
            field=models.CharField(
                choices=[("STRIPE", "through Stripe"), ("SEPA", "by bank transfer (SEPA)")],
                db_default="STRIPE",
                default="STRIPE",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="payee",
            name="stripe_says",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            model_name="payee",
            name="stripe_wants",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=120), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="reversed_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="payout",
            name="route",
            field=models.CharField(
                choices=[("STRIPE", "through Stripe"), ("SEPA", "by bank transfer (SEPA)")],
                db_default="STRIPE",
                default="STRIPE",
                max_length=6,
            ),
        ),
        migrations.AlterField(
            model_name="account",
            name="kind",
            field=models.CharField(
                choices=[
                    ("STRIPE_BALANCE", "money at Stripe"),
                    ("FEES", "payment fees"),
                    ("DEBT", "what a payee owes us"),
                    ("FX_DIFFERENCE", "differences of exchange"),
                    ("TAX", "consumer tax"),
                    ("COMMISSION", "the store's commission"),
                    ("PAYEE", "owed to a payee"),
                    ("SUSPENSE", "owed to nobody known yet"),
                    ("RESERVE", "held back for refunds"),
                    ("BUYER_CREDIT", "buyers' credit"),
                    ("RECOUPMENT", "advances still to be recouped from a payee"),
                    ("ADVANCES", "advances still to come back to a payee"),
                    ("WITHHOLDING", "tax withheld from payees"),
                    ("CLEARING", "on its way through a bank"),
                    ("BANK", "money at our bank"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="payout",
            name="state",
            field=models.CharField(
                choices=[
                    ("PLANNED", "to be sent"),
                    ("SENT", "sent, not yet in the ledger"),
                    ("EXPORTED", "in a file for the bank"),
                    ("SETTLED", "sent and in the ledger"),
                    ("FAILED", "refused"),
                    ("REVERSED", "taken back by Stripe"),
                ],
                default="PLANNED",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="payee",
            constraint=models.CheckConstraint(
                condition=models.Q(("route__in", ["STRIPE", "SEPA"])), name="payee_route_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="payee",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("minimum_minor", None),
                    models.Q(("minimum_minor__gte", 1), ("minimum_minor__lt", 1000000000000)),
                    _connector="OR",
                ),
                name="payee_minimum_bounded",
            ),
        ),
        migrations.AddField(
            model_name="bankdetails",
            name="payee",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="bank", to="payments.payee"
            ),
        ),
        migrations.AddIndex(
            model_name="discrepancy",
            index=models.Index(condition=models.Q(("state", "OPEN")), fields=["state"], name="discrepancy_open"),
        ),
        migrations.AddConstraint(
            model_name="discrepancy",
            constraint=models.UniqueConstraint(fields=("kind", "key", "currency"), name="discrepancy_once"),
        ),
        migrations.AddConstraint(
            model_name="discrepancy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("explained_at", None), ("state", "OPEN")),
                    models.Q(
                        ("explained_at__isnull", False),
                        ("state", "EXPLAINED"),
                        models.Q(("explanation", ""), _negated=True),
                        models.Q(("explained_by", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="discrepancy_explained_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("control_sum_minor__gt", 0), ("payments__gt", 0)), name="batch_holds_payments"
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("closed_at", None), ("document", ""), _connector="OR"),
                name="batch_closed_is_emptied",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="batch",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payouts",
                to="payments.payoutbatch",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["PLANNED", "SENT", "EXPORTED"])),
                fields=("payee", "currency"),
                name="payout_one_under_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("reversed_minor__gte", 0), ("reversed_minor__lte", models.F("amount_minor"))),
                name="payout_never_reversed_above_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "EXPORTED"), _negated=True), ("batch__isnull", False), _connector="OR"
                ),
                name="payout_has_a_file",
            ),
        ),
        migrations.AddConstraint(
            model_name="statementperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(("since__lt", models.F("until"))), name="period_runs_forward"
            ),
        ),
        migrations.AddField(
            model_name="taxform",
            name="payee",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="tax_forms", to="payments.payee"
            ),
        ),
        migrations.AddField(
            model_name="withholding",
            name="form",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payments.taxform",
            ),
        ),
        migrations.AddField(
            model_name="withholding",
            name="payee",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="withholdings", to="payments.payee"
            ),
        ),
        migrations.AddField(
            model_name="withholding",
            name="payout",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="withholdings", to="payments.payout"
            ),
        ),
        migrations.AddField(
            model_name="withholding",
            name="transfer",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payments.transfer",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankdetails",
            constraint=models.CheckConstraint(
                condition=models.Q(("iban__regex", "^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$")), name="bank_iban_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxform",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["W-8BEN", "W-9", "EU"])), name="taxform_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxform",
            constraint=models.CheckConstraint(condition=models.Q(("rate__lte", 1000000)), name="taxform_rate_bounded"),
        ),
        migrations.AddConstraint(
            model_name="taxform",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_from__lte", models.F("valid_to"))), name="taxform_runs_forward"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxform",
            constraint=models.CheckConstraint(
                condition=models.Q(("country__regex", "^[A-Z]{2}$")), name="taxform_country_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxform",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["W-8BEN", "W-9"]), _negated=True), ("country", "US"), _connector="OR"
                ),
                name="taxform_of_its_country",
            ),
        ),
        migrations.AddIndex(
            model_name="withholding",
            index=models.Index(fields=["payee", "currency", "country"], name="withholding_by_payee"),
        ),
        migrations.AddConstraint(
            model_name="withholding",
            constraint=models.UniqueConstraint(fields=("payout", "country"), name="withholding_once"),
        ),
        migrations.AddConstraint(
            model_name="withholding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_micros__gte", 0), ("amount_micros__lte", models.F("basis_micros")), ("basis_micros__gt", 0)
                ),
                name="withholding_within_its_basis",
            ),
        ),
        migrations.AddConstraint(
            model_name="withholding",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_micros", 0), ("transfer__isnull", False), _connector="OR"),
                name="withholding_is_in_the_ledger",
            ),
        ),
        migrations.RunSQL(
            "".join(
                f"CREATE TRIGGER payments_{table}_append_only BEFORE UPDATE OR DELETE ON payments_{table} "
                "FOR EACH ROW EXECUTE FUNCTION payments_refuse_change();\n"
                for table in ("taxform", "withholding")
            ),
            "".join(
                f"DROP TRIGGER payments_{table}_append_only ON payments_{table};\n"
                for table in ("taxform", "withholding")
            ),
        ),
    ]
