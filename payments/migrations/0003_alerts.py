from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_promises")]

    operations = [
        migrations.AlterField(
            model_name="charge",
            name="state",
            field=models.CharField(
                choices=[
                    ("PENDING", "waits for the buyer"),
                    ("PROCESSING", "on its way"),
                    ("PAID", "paid"),
                    ("FAILED", "not paid"),
                    ("REFUNDED", "paid back in full"),
                ],
                default="PENDING",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=160)),
                ("text", models.CharField(max_length=500)),
                ("times", models.PositiveIntegerField(default=1)),
                ("raised_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, max_length=100)),
                ("note", models.TextField(blank=True)),
            ],
            options={"ordering": ["-raised_at", "-id"]},
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=Q(("closed_at__isnull", True)), fields=("code", "subject"), name="alert_open_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=Q(("closed_at__isnull", True)) | (~Q(("note", "")) & ~Q(("closed_by", ""))),
                name="alert_closed_with_a_note",
            ),
        ),
    ]
