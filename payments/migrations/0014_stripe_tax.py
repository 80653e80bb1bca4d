"""What Stripe Tax reckoned of a charge, where it was asked to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0013_chart"),
    ]

    operations = [
        migrations.AddField(
            model_name="charge",
            name="tax",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="charge",
            name="taxed_by_stripe",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
