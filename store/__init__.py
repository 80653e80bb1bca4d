"""Selling a release needs leave, files and money at once: the shop itself, and the Django project."""

from store.celery import app as celery_app

__all__ = ["celery_app"]
