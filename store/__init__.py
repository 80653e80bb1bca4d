"""Selling a release needs leave, files and money at once: the shop itself, and the Django project."""
