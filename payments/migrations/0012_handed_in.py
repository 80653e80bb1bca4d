"""Accounts and tax forms handed in for payees: answered once, never changed, and no account is paid to without one."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import payments.models

FORWARD = """
CREATE FUNCTION payments_handed_in_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['state', 'reason', 'answered_by', 'answered_at'] || TG_ARGV;
BEGIN
    IF OLD.state <> 'WAITING' OR to_jsonb(NEW) - free <> to_jsonb(OLD) - free THEN
        RAISE EXCEPTION 'payments: what was handed in is answered once and never changed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_bankchange_frozen BEFORE UPDATE ON payments_bankchange
    FOR EACH ROW EXECUTE FUNCTION payments_handed_in_frozen('iban', 'bic');
CREATE TRIGGER payments_bankchange_kept BEFORE DELETE ON payments_bankchange
    FOR EACH ROW EXECUTE FUNCTION payments_refuse_change();
CREATE TRIGGER payments_taxpaper_frozen BEFORE UPDATE ON payments_taxpaper
    FOR EACH ROW EXECUTE FUNCTION payments_handed_in_frozen('form_id');
CREATE TRIGGER payments_taxpaper_kept BEFORE DELETE ON payments_taxpaper
    FOR EACH ROW EXECUTE FUNCTION payments_refuse_change();

CREATE FUNCTION payments_bankdetails_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM payments_bankchange
        WHERE payee_id = NEW.payee_id AND state = 'TAKEN' AND answered_at = NEW.given_at
          AND holder = NEW.holder AND ends = right(NEW.iban, 4)
    ) THEN
        RAISE EXCEPTION 'payments: no account is paid to before it was taken' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_bankdetails_taken BEFORE INSERT OR UPDATE ON payments_bankdetails
    FOR EACH ROW EXECUTE FUNCTION payments_bankdetails_taken();
"""
BACKWARD = """
DROP TRIGGER payments_bankdetails_taken ON payments_bankdetails;
DROP FUNCTION payments_bankdetails_taken();
DROP TRIGGER payments_taxpaper_kept ON payments_taxpaper;
DROP TRIGGER payments_taxpaper_frozen ON payments_taxpaper;
DROP TRIGGER payments_bankchange_kept ON payments_bankchange;
DROP TRIGGER payments_bankchange_frozen ON payments_bankchange;
DROP FUNCTION payments_handed_in_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0011_wallets_are_locked_by_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="BankChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("holder", models.CharField(max_length=70)),
                ("iban", models.CharField(blank=True, max_length=34)),
                ("bic", models.CharField(blank=True, max_length=11)),
                ("ends", models.CharField(max_length=4)),
                ("given_by", models.CharField(max_length=100)),
                ("given_at", models.DateTimeField()),
                ("usable_from", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("WAITING", "waits"), ("TAKEN", "taken"), ("REFUSED", "not taken")],
                        default="WAITING",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("answered_by", models.CharField(blank=True, max_length=100)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "payee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="bank_changes", to="payments.payee"
                    ),
                ),
            ],
            options={
                "ordering": ["-given_at", "-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "WAITING")), fields=["usable_from"], name="bankchange_waiting"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "WAITING")), fields=("payee",), name="bankchange_one_waits"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("answered_at", None),
                                ("answered_by", ""),
                                ("reason", ""),
                                ("state", "WAITING"),
                                models.Q(("iban", ""), _negated=True),
                            ),
                            models.Q(
                                ("answered_at__isnull", False),
                                ("bic", ""),
                                ("iban", ""),
                                ("state__in", ["TAKEN", "REFUSED"]),
                                models.Q(("answered_by", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="bankchange_answered_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "TAKEN"), _negated=True),
                            ("answered_at__gte", models.F("usable_from")),
                            models.Q(
                                ("answered_by__startswith", "user:"),
                                models.Q(("answered_by", models.F("given_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="bankchange_waits_or_is_confirmed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "REFUSED"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="bankchange_refused_for_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("usable_from__gte", models.F("given_at"))), name="bankchange_runs_forward"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TaxPaper",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
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
                ("file", models.FileField(max_length=200, storage=payments.models.paper_storage, upload_to="")),
                ("media_type", models.CharField(max_length=60)),
                ("sha256", models.CharField(max_length=64)),
                ("bytes", models.PositiveIntegerField()),
                ("handed_by", models.CharField(max_length=100)),
                ("handed_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("WAITING", "waits to be read"), ("ACCEPTED", "accepted"), ("REFUSED", "refused")],
                        default="WAITING",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("answered_by", models.CharField(blank=True, max_length=100)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "form",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="paper",
                        to="payments.taxform",
                    ),
                ),
                (
                    "payee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tax_papers", to="payments.payee"
                    ),
                ),
            ],
            options={
                "ordering": ["-handed_at", "-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "WAITING")), fields=["handed_at"], name="taxpaper_waiting"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("answered_at", None),
                                ("answered_by", ""),
                                ("form", None),
                                ("reason", ""),
                                ("state", "WAITING"),
                            ),
                            models.Q(("answered_at__isnull", False), ("form__isnull", False), ("state", "ACCEPTED")),
                            models.Q(
                                ("answered_at__isnull", False),
                                ("form", None),
                                ("state", "REFUSED"),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="taxpaper_answered_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "WAITING"),
                            models.Q(
                                models.Q(("answered_by", ""), _negated=True),
                                models.Q(("answered_by", models.F("handed_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="taxpaper_read_by_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("valid_from__lte", models.F("valid_to"))), name="taxpaper_runs_forward"
                    ),
                    models.CheckConstraint(condition=models.Q(("rate__lte", 1000000)), name="taxpaper_rate_bounded"),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
