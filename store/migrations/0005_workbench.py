"""What the workbench keeps for the store: the words that reviewers say again and again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0004_proof")]

    operations = [
        migrations.CreateModel(
            name="SavedReason",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("REFUSAL", "Reason of a refusal"), ("QUESTION", "Question to the label")],
                        default="REFUSAL",
                        max_length=10,
                    ),
                ),
                ("text", models.CharField(max_length=500)),
                ("position", models.PositiveSmallIntegerField(default=100)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                ("saved_by", models.CharField(blank=True, max_length=100)),
            ],
            options={
                "ordering": ["kind", "position", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True), name="saved_reason_says_something"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="deliveryline",
            index=models.Index(
                condition=models.Q(("code", ""), _negated=True), fields=["code"], name="deliveryline_code"
            ),
        ),
    ]
