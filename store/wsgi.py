"""The WSGI entry point that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")
os.environ.setdefault(
    "DATABASE_POOL", "16"
)  # for the web's threads alone: Celery would close a pool at each task's end

application = get_wsgi_application()
