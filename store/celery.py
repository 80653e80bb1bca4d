"""The Celery application. Tasks are thin: the work owed is a row, and a message only rings the bell."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")

app = Celery("clearsong")
app.set_default()  # a new application is current only in the thread that made it; granian's threads ring bells too
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
