from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LicensingConfig(AppConfig):
    name = "licensing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from licensing import audit

        post_migrate.connect(audit.follow_all, sender=self, dispatch_uid="licensing.audit")
