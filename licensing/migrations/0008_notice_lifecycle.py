"""Counter-notices, deadlines and awards; and the records that end soon are found by their last day."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from licensing.migrations._append_only import append_only

OPEN_ONLY = """
CREATE FUNCTION licensing_step_while_it_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM licensing_noticeend WHERE notice_id = NEW.notice_id) THEN
        RAISE EXCEPTION 'notice % has ended: a new demand is a new notice', NEW.notice_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER licensing_noticestep_open BEFORE INSERT ON licensing_noticestep
    FOR EACH ROW EXECUTE FUNCTION licensing_step_while_it_holds();
"""
ANY_TIME = """
DROP TRIGGER licensing_noticestep_open ON licensing_noticestep;
DROP FUNCTION licensing_step_while_it_holds();
"""


class Migration(migrations.Migration):
    dependencies = [("licensing", "0007_workbench")]

    operations = [
        migrations.CreateModel(
            name="NoticeStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("COUNTER", "Counter"),
                            ("CONTEST", "Contest"),
                            ("WITHDRAWAL", "Withdrawal"),
                            ("STATEMENT", "Statement"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "side",
                    models.CharField(
                        choices=[("LABEL", "Label"), ("CLAIMANT", "Claimant"), ("DESK", "Desk")], max_length=8
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("contact", models.CharField(blank=True, max_length=200)),
                ("statement", models.TextField()),
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
                    "notice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="steps", to="licensing.notice"
                    ),
                ),
                ("deadline", models.DateTimeField(blank=True, null=True)),
                ("restores_by_itself", models.BooleanField(blank=True, null=True)),
                ("actor", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.AddConstraint(
            model_name="noticestep",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["COUNTER", "CONTEST", "WITHDRAWAL", "STATEMENT"])),
                name="notice_step_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="noticestep",
            constraint=models.CheckConstraint(
                condition=models.Q(("side__in", ["LABEL", "CLAIMANT", "DESK"])), name="notice_step_side_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="noticestep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("name", ""), _negated=True),
                    models.Q(("statement", ""), _negated=True),
                    models.Q(("actor", ""), _negated=True),
                ),
                name="notice_step_says_who",
            ),
        ),
        migrations.AddConstraint(
            model_name="noticestep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "COUNTER"), _negated=True),
                    models.Q(("deadline__isnull", False), ("restores_by_itself__isnull", False)),
                    _connector="OR",
                ),
                name="notice_counter_has_clock",
            ),
        ),
        migrations.AddConstraint(
            model_name="noticestep",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "COUNTER")), fields=("notice",), name="notice_counter_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="noticestep",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "CONTEST")), fields=("notice",), name="notice_contest_once"
            ),
        ),
        migrations.AddField(
            model_name="noticeend",
            name="instrument",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="licensing.instrument",
            ),
        ),
        migrations.AddField(
            model_name="noticeend",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("WITHDRAWN", "Withdrawn"),
                    ("UNFOUNDED", "Unfounded"),
                    ("COUNTERED", "Countered"),
                    ("SETTLED", "Settled"),
                    ("DECIDED", "Decided"),
                ],
                max_length=10,
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="noticeend",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome__isnull", True),
                    ("outcome__in", ["WITHDRAWN", "UNFOUNDED", "COUNTERED", "SETTLED", "DECIDED"]),
                    _connector="OR",
                ),
                name="notice_outcome_known",
            ),
        ),
        migrations.CreateModel(
            name="NoticeAward",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "end",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="awards", to="licensing.noticeend"
                    ),
                ),
                (
                    "holder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="licensing.rightsholder"
                    ),
                ),
                ("share_numerator", models.BigIntegerField(default=1)),
                ("share_denominator", models.BigIntegerField(default=1)),
            ],
        ),
        migrations.AddConstraint(
            model_name="noticeaward",
            constraint=models.UniqueConstraint(fields=("end", "holder"), name="award_once_a_holder"),
        ),
        migrations.AddConstraint(
            model_name="noticeaward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("share_denominator__gt", 0),
                    ("share_numerator__gt", 0),
                    ("share_numerator__lte", models.F("share_denominator")),
                ),
                name="award_is_a_part",
            ),
        ),
        *(append_only(table) for table in ("licensing_noticestep", "licensing_noticeaward")),
        migrations.RunSQL(OPEN_ONLY, ANY_TIME),
        migrations.AddIndex(
            model_name="licencegrant",
            index=models.Index(
                condition=models.Q(("ends_on__isnull", False)), fields=["ends_on"], name="grant_by_last_day"
            ),
        ),
    ]
