"""What waits for a reviewer, what is asked and answered about it, and two reviewers where the policy wants two."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from licensing.migrations._append_only import append_only

# A case opens with its grant and closes with the word that settles it, whatever route either took.
CASES = """
CREATE FUNCTION licensing_case_opens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM licensing_reviewcase waiting USING opened WHERE waiting.grant_id = opened.supersedes_id;
    INSERT INTO licensing_reviewcase
        (grant_id, opened_at, seconding, points, reasons, same_sound, same_code, value_minor, second_needed)
    SELECT opened.id, opened.created_at, false, 0, '{}', false, false, 0, false FROM opened
    WHERE NOT EXISTS (SELECT 1 FROM opened newer WHERE newer.supersedes_id = opened.id)
      AND (opened.version = 1 OR NOT EXISTS (
          SELECT 1 FROM licensing_grantend ended
          JOIN licensing_licencegrant older ON older.id = ended.grant_id
          WHERE older.record_id = opened.record_id AND ended.kind = 'REVOKED'))
    ON CONFLICT (grant_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_case_opens AFTER INSERT ON licensing_licencegrant
    REFERENCING NEW TABLE AS opened FOR EACH STATEMENT EXECUTE FUNCTION licensing_case_opens();

CREATE FUNCTION licensing_is_seconded(said licensing_review) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM licensing_review other
        WHERE other.grant_id = said.grant_id AND other.outcome = 'APPROVED' AND other.reviewer <> said.reviewer
          AND other.evidence_sha256 = said.evidence_sha256 AND other.sound_sha256 = said.sound_sha256
          AND NOT EXISTS (
              SELECT 1 FROM licensing_review refused
              WHERE refused.grant_id = said.grant_id AND refused.outcome = 'REFUSED' AND refused.id > other.id))
$$;

CREATE FUNCTION licensing_case_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE licensing_reviewcase waiting SET seconding = true FROM said
    WHERE waiting.grant_id = said.grant_id AND said.outcome = 'APPROVED' AND said.second_needed;
    DELETE FROM licensing_reviewcase waiting USING licensing_review review, said
    WHERE review.id = said.id AND waiting.grant_id = said.grant_id
      AND (said.outcome <> 'APPROVED' OR NOT said.second_needed OR licensing_is_seconded(review));
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_case_decided AFTER INSERT ON licensing_review
    REFERENCING NEW TABLE AS said FOR EACH STATEMENT EXECUTE FUNCTION licensing_case_decided();

CREATE FUNCTION licensing_case_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM licensing_reviewcase waiting
    USING ended, licensing_licencegrant one, licensing_licencegrant version
    WHERE ended.kind = 'REVOKED' AND one.id = ended.grant_id AND version.record_id = one.record_id
      AND waiting.grant_id = version.id;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_case_ended AFTER INSERT ON licensing_grantend
    REFERENCING NEW TABLE AS ended FOR EACH STATEMENT EXECUTE FUNCTION licensing_case_ended();

INSERT INTO licensing_reviewcase
    (grant_id, opened_at, seconding, points, reasons, same_sound, same_code, value_minor, second_needed)
SELECT waiting.id, waiting.created_at, false, 0, '{}', false, false, 0, false FROM licensing_licencegrant waiting
WHERE NOT EXISTS (SELECT 1 FROM licensing_review said WHERE said.grant_id = waiting.id)
  AND NOT EXISTS (SELECT 1 FROM licensing_licencegrant newer WHERE newer.supersedes_id = waiting.id)
  AND NOT EXISTS (
      SELECT 1 FROM licensing_grantend ended JOIN licensing_licencegrant older ON older.id = ended.grant_id
      WHERE older.record_id = waiting.record_id AND ended.kind = 'REVOKED');
"""
NO_CASES = """
DROP TRIGGER licensing_case_ended ON licensing_grantend;
DROP TRIGGER licensing_case_decided ON licensing_review;
DROP TRIGGER licensing_case_opens ON licensing_licencegrant;
DROP FUNCTION licensing_case_ended();
DROP FUNCTION licensing_case_decided();
DROP FUNCTION licensing_is_seconded(licensing_review);
DROP FUNCTION licensing_case_opens();
"""

# The acts refuse this in words; here it cannot even be written down.
TWO_REVIEWERS = """
CREATE FUNCTION licensing_review_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT NEW.second_needed AND (
        EXISTS (SELECT 1 FROM licensing_reviewcase WHERE grant_id = NEW.grant_id AND second_needed)
        OR EXISTS (SELECT 1 FROM licensing_review WHERE grant_id = NEW.grant_id AND second_needed)
    ) THEN
        RAISE EXCEPTION 'SECOND_REVIEW_NEEDED: grant % needs two reviewers', NEW.grant_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.second_needed AND EXISTS (
        SELECT 1 FROM licensing_review before
        WHERE before.grant_id = NEW.grant_id AND before.outcome = 'APPROVED' AND before.reviewer = NEW.reviewer
          AND before.evidence_sha256 = NEW.evidence_sha256 AND before.sound_sha256 = NEW.sound_sha256
    ) THEN
        RAISE EXCEPTION 'REVIEW_TWICE: % has approved grant % before; another reviewer must be the second',
            NEW.reviewer, NEW.grant_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER licensing_review_by_two BEFORE INSERT ON licensing_review
    FOR EACH ROW WHEN (NEW.outcome = 'APPROVED') EXECUTE FUNCTION licensing_review_by_two();
"""
ONE_REVIEWER = """
DROP TRIGGER licensing_review_by_two ON licensing_review;
DROP FUNCTION licensing_review_by_two();
"""


class Migration(migrations.Migration):
    dependencies = [("licensing", "0006_audit_chain")]

    operations = [
        migrations.CreateModel(
            name="ReviewCase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opened_at", models.DateTimeField()),
                ("seconding", models.BooleanField(default=False)),
                ("points", models.IntegerField(default=0)),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, default=list, size=None
                    ),
                ),
                ("same_sound", models.BooleanField(default=False)),
                ("same_code", models.BooleanField(default=False)),
                ("value_minor", models.BigIntegerField(default=0)),
                ("second_needed", models.BooleanField(default=False)),
                ("assessed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "grant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="case", to="licensing.licencegrant"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-points", "opened_at", "grant"], name="case_order"),
                    models.Index(fields=["assessed_at"], name="case_to_assess"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Question",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("text", models.TextField()),
                ("asked_by", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="questions",
                        to="licensing.licencegrant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("text", ""), _negated=True), models.Q(("asked_by", ""), _negated=True)
                        ),
                        name="question_says_what",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("answered_by", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
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
                    "question",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="answer", to="licensing.question"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("text", ""), _negated=True), models.Q(("answered_by", ""), _negated=True)
                        ),
                        name="answer_says_what",
                    )
                ],
            },
        ),
        *(append_only(table) for table in ("licensing_question", "licensing_answer")),
        migrations.RunSQL(CASES, NO_CASES),
        migrations.RunSQL(TWO_REVIEWERS, ONE_REVIEWER),
    ]
