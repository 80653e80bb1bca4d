"""The country of the card that paid: one of the proofs of where a buyer is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0003_alerts"),
    ]

    operations = [
        migrations.AddField(
            model_name="charge",
            name="card_country",
            field=models.CharField(blank=True, db_default="", default="", max_length=2),
        ),
    ]
