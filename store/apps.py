"""The shop as Django sees it."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StoreConfig(AppConfig):
    name = "store"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("store.celery")  # shared tasks must find our broker from every process, not Celery's default one
        import_module("store.checks")
        from allauth.mfa.signals import authenticator_added

        from store import access, privileges, saved_reasons

        post_migrate.connect(privileges.keep, sender=self, dispatch_uid="store.privileges")
        post_migrate.connect(saved_reasons.keep, sender=self, dispatch_uid="store.saved_reasons")
        authenticator_added.connect(access.remember_enrolment, dispatch_uid="store.access")
