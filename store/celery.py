"""The Celery application. Tasks are thin: the work owed is a row, and a message only rings the bell."""

import os

from celery import Celery
from celery.signals import heartbeat_sent, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")

app = Celery("clearsong")
app.set_default()  # a new application is current only in the thread that made it; granian's threads ring bells too
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _sign_in(sender: object, **signal: object) -> None:
    from store import attendance  # it reads the settings, which this module must not do while they are being made

    attendance.on_heartbeat(sender, **signal)


heartbeat_sent.connect(_sign_in, weak=False, dispatch_uid="store.attendance")


def _watch(sender: object, **_signal: object) -> None:
    from store import watch  # only a worker needs what it imports

    watch.begin(app, sender)


worker_ready.connect(_watch, weak=False, dispatch_uid="store.watch")
