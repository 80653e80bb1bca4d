from django.apps import AppConfig


class TranscodingConfig(AppConfig):
    name = "transcoding"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from transcoding import checks  # noqa: F401 - registers itself
