"""What a record may say beyond the first release: more kinds of evidence, a file's own name, countries as given."""

from django.db import migrations, models

KINDS = [
    ("TAG_STATEMENT", "Tag statement"),
    ("STATEMENT", "Statement"),
    ("AGREEMENT", "Agreement"),
    ("CHAIN_OF_TITLE", "Chain of title"),
    ("SOCIETY_LICENCE", "Society licence"),
    ("DECLARATION", "Declaration"),
    ("LICENCE_PAGE", "Licence page"),
    ("PUBLIC_DOMAIN_PROOF", "Public domain proof"),
    ("LETTER", "Letter"),
]


class Migration(migrations.Migration):
    dependencies = [("licensing", "0008_notice_lifecycle")]

    operations = [
        migrations.RemoveConstraint(model_name="instrument", name="instrument_kind_known"),
        migrations.AlterField(
            model_name="instrument", name="kind", field=models.CharField(choices=KINDS, max_length=20)
        ),
        migrations.AddConstraint(
            model_name="instrument",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", [kind for kind, _ in KINDS])), name="instrument_kind_known"
            ),
        ),
        migrations.AddField(
            model_name="instrument", name="name", field=models.CharField(blank=True, max_length=200, null=True)
        ),
        migrations.AddField(
            model_name="licencegrant",
            name="territories_as_given",
            field=models.CharField(blank=True, max_length=500, null=True),
        ),
    ]
