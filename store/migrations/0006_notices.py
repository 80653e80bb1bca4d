"""Reports from the public, letters that are owed, money in dispute, refunds of void titles, warnings before an end.

- A notice closes the offers of what it strikes in its own transaction, by whatever route it comes: lists, search and
  sitemaps leave them out with the next request, before any worker has looked.
- What was held of a sale never changes; only its release is added, once.
"""

import uuid

import django.db.models.deletion
from django.db import migrations, models

CLOSE_ON_NOTICE = """
CREATE FUNCTION store_close_on_notice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    struck bigint[] := store_recordings_of(NEW.recording_id, NEW.work_id, NEW.release_id, NEW.label_id);
BEGIN
    UPDATE store_offer SET closed_at = clock_timestamp(), closed_reason =
            CASE NEW.kind WHEN 'LEGAL_HOLD' THEN 'LEGAL_HOLD' WHEN 'DISPUTE' THEN 'DISPUTED' ELSE 'TAKEN_DOWN' END
        WHERE closed_at IS NULL AND (
            track_id IN (SELECT id FROM catalog_track WHERE recording_id = ANY (struck))
            OR release_id IN (SELECT release_id FROM catalog_track WHERE recording_id = ANY (struck))
            OR release_id = NEW.release_id
            OR release_id IN (SELECT id FROM catalog_release WHERE label_id = NEW.label_id));
    RETURN NULL;
END $$;
CREATE TRIGGER store_close_on_notice AFTER INSERT ON licensing_notice
    FOR EACH ROW EXECUTE FUNCTION store_close_on_notice();
"""
NO_CLOSE_ON_NOTICE = """
DROP TRIGGER store_close_on_notice ON licensing_notice;
DROP FUNCTION store_close_on_notice();
"""

HELD_FROZEN = """
CREATE FUNCTION store_heldshare_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.released_at IS NOT NULL
       OR to_jsonb(NEW) - 'released_at' - 'release_reference' <> to_jsonb(OLD) - 'released_at' - 'release_reference'
    THEN
        RAISE EXCEPTION 'store: what was held of a sale is released once, never changed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_heldshare_frozen BEFORE UPDATE ON store_heldshare
    FOR EACH ROW EXECUTE FUNCTION store_heldshare_frozen();
CREATE TRIGGER store_heldshare_kept BEFORE DELETE ON store_heldshare FOR EACH ROW EXECUTE FUNCTION store_refuse();
"""
HELD_FREE = """
DROP TRIGGER store_heldshare_kept ON store_heldshare;
DROP TRIGGER store_heldshare_frozen ON store_heldshare;
DROP FUNCTION store_heldshare_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_composition"),
        ("licensing", "0008_notice_lifecycle"),
        ("payments", "0002_promises"),
        ("store", "0005_workbench"),
    ]

    operations = [
        migrations.CreateModel(
            name="Letter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=30)),
                ("about", models.CharField(max_length=100)),
                ("recipient", models.EmailField(max_length=254)),
                ("subject", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("owed_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(condition=models.Q(("sent_at", None)), fields=["owed_at"], name="letter_owed")
                ],
                "constraints": [models.UniqueConstraint(fields=("kind", "about", "recipient"), name="letter_once")],
            },
        ),
        migrations.CreateModel(
            name="Demand",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("kind", models.CharField(choices=[("TAKEDOWN", "Takedown"), ("DISPUTE", "Dispute")], max_length=10)),
                ("layer", models.CharField(blank=True, max_length=10)),
                ("name", models.CharField(max_length=200)),
                ("email", models.EmailField(max_length=254)),
                ("on_behalf_of", models.CharField(blank=True, max_length=200)),
                ("statement", models.TextField()),
                ("address_sha256", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("UNCONFIRMED", "not confirmed by mail yet"),
                            ("WAITING", "waits for the desk"),
                            ("ENTERED", "became a notice"),
                            ("REFUSED", "refused"),
                        ],
                        default="UNCONFIRMED",
                        max_length=12,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("decided_by", models.CharField(blank=True, max_length=100)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "instrument",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licensing.instrument",
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.party",
                    ),
                ),
                (
                    "notice",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licensing.notice",
                    ),
                ),
                (
                    "recording",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.recording",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.release",
                    ),
                ),
                (
                    "work",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.work",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(fields=["state", "id"], name="demand_by_state"),
                    models.Index(fields=["email", "made_at"], name="demand_by_sender"),
                    models.Index(fields=["address_sha256", "made_at"], name="demand_by_address"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("label__isnull", True),
                                ("recording__isnull", False),
                                ("release__isnull", True),
                                ("work__isnull", True),
                            ),
                            models.Q(
                                ("label__isnull", True),
                                ("recording__isnull", True),
                                ("release__isnull", True),
                                ("work__isnull", False),
                            ),
                            models.Q(
                                ("label__isnull", True),
                                ("recording__isnull", True),
                                ("release__isnull", False),
                                ("work__isnull", True),
                            ),
                            models.Q(
                                ("label__isnull", False),
                                ("recording__isnull", True),
                                ("release__isnull", True),
                                ("work__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="demand_one_subject",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["TAKEDOWN", "DISPUTE"])), name="demand_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "UNCONFIRMED"), ("confirmed_at__isnull", False), _connector="OR"),
                        name="demand_confirmed_first",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("notice__isnull", False), ("state", "ENTERED")),
                            models.Q(models.Q(("state", "ENTERED"), _negated=True), ("notice", None)),
                            _connector="OR",
                        ),
                        name="demand_entered_has_notice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "REFUSED"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="demand_refusal_reasoned",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExpiryLook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("days", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="licensing.licencegrant"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("grant", "days"), name="expirylook_once")],
            },
        ),
        migrations.CreateModel(
            name="ExpiryWarning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("days", models.PositiveIntegerField()),
                ("recordings", models.PositiveIntegerField()),
                ("lost", models.JSONField()),
                ("told", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="licensing.licencegrant"
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.party"
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "constraints": [models.UniqueConstraint(fields=("grant", "label", "days"), name="expirywarning_once")],
            },
        ),
        migrations.CreateModel(
            name="HeldShare",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("layer", models.CharField(max_length=20)),
                ("micros", models.BigIntegerField()),
                ("reason", models.CharField(max_length=40)),
                ("held_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("release_reference", models.CharField(blank=True, max_length=160)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.account"
                    ),
                ),
                (
                    "holder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="licensing.rightsholder"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="held_shares", to="store.orderline"
                    ),
                ),
                (
                    "notice",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licensing.notice",
                    ),
                ),
                (
                    "payee",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.payee",
                    ),
                ),
                (
                    "recording",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.recording"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("released_at", None)), fields=["recording"], name="heldshare_waiting"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("line", "recording", "layer", "holder", "payee"),
                        name="heldshare_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("layer__in", ["RECORDING", "WORK"])), name="heldshare_layer_known"
                    ),
                    models.CheckConstraint(condition=models.Q(("micros__gt", 0)), name="heldshare_is_money"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("release_reference", ""), ("released_at", None)),
                            models.Q(
                                ("released_at__isnull", False), models.Q(("release_reference", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="heldshare_release_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RefundCase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cause", models.CharField(max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "the desk decides"),
                            ("REFUND", "the line is given back"),
                            ("SETTLED", "settled otherwise"),
                        ],
                        default="OPEN",
                        max_length=8,
                    ),
                ),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, max_length=100)),
                ("note", models.TextField(blank=True)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refund_cases", to="store.orderline"
                    ),
                ),
                (
                    "track",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.track"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "OPEN")), fields=["state"], name="refundcase_open")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("line", "track"), name="refundcase_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "OPEN")),
                            models.Q(models.Q(("state", "OPEN"), _negated=True), ("closed_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="refundcase_closed_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "SETTLED"), _negated=True),
                            models.Q(("note", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="refundcase_settled_reasoned",
                    ),
                ],
            },
        ),
        migrations.RunSQL(CLOSE_ON_NOTICE, NO_CLOSE_ON_NOTICE),
        migrations.RunSQL(HELD_FROZEN, HELD_FREE),
    ]
