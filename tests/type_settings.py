"""The settings as mypy's Django plugin reads them: it looks at models and never connects to anything."""

import os

os.environ.setdefault("DATABASE_URL", "postgresql:///never-connected")
os.environ.setdefault("REDIS_URL", "unix:///never-connected?db=0")
os.environ.setdefault("SECRET_KEY", "signs nothing")

from store.settings import *  # noqa: F403
