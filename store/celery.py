"""The Celery application. Tasks are thin: the work owed is a row, and a message only rings the bell."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")

app = Celery("clearsong")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
