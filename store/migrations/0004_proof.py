"""Signed certificates, the keys that signed, and the daily heads of the chains.

Certificates from before are version 1 and carry no signature; any later one without cannot be written.
"""

import django.db.models.deletion
from django.db import migrations, models

FINAL = """
CREATE TRIGGER store_signingkey_final BEFORE UPDATE OR DELETE ON store_signingkey
    FOR EACH ROW EXECUTE FUNCTION store_refuse();
CREATE TRIGGER store_signedhead_final BEFORE UPDATE OR DELETE ON store_signedhead
    FOR EACH ROW EXECUTE FUNCTION store_refuse();
"""
NOT_FINAL = """
DROP TRIGGER store_signedhead_final ON store_signedhead;
DROP TRIGGER store_signingkey_final ON store_signingkey;
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0003_clearing_at_scale"), ("licensing", "0006_audit_chain")]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=32, unique=True)),
                ("public", models.CharField(max_length=44)),
                ("since", models.DateTimeField()),
            ],
            options={"ordering": ["since", "pk"]},
        ),
        migrations.CreateModel(
            name="SignedHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True)),
                ("text", models.TextField()),
                ("sha256", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=88)),
                ("signed_at", models.DateTimeField()),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="store.signingkey"
                    ),
                ),
            ],
            options={"ordering": ["-day"]},
        ),
        migrations.AddField(
            model_name="certificate",
            name="text",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="certificate",
            name="key",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="store.signingkey"
            ),
        ),
        migrations.AddField(
            model_name="certificate",
            name="signature",
            field=models.CharField(max_length=88, null=True),
        ),
        migrations.AddConstraint(
            model_name="certificate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("document__contains", {"version": 1}),
                    models.Q(("key__isnull", False), ("signature__isnull", False), ("text__isnull", False)),
                    _connector="OR",
                ),
                name="certificate_signed",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("key__regex", "^[0-9a-f]{32}$"), ("public__regex", "^[A-Za-z0-9+/]{43}=$")),
                name="signingkey_form",
            ),
        ),
        migrations.AddConstraint(
            model_name="signedhead",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$"), ("signature__regex", "^[A-Za-z0-9+/]{86}==$")),
                name="signedhead_form",
            ),
        ),
        migrations.RunSQL(FINAL, NOT_FINAL),
    ]
