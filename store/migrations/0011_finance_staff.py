from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0010_credits_and_covers_follow"), ("payments", "0003_alerts")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_finance",
            field=models.BooleanField(db_default=False, default=False, verbose_name="finance staff"),
        ),
    ]
