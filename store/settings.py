"""Settings of one Clearsong instance, read from the environment.

Every value has a reader that says what is wrong when it cannot be read. A secret `NAME` may come from the file that
`NAME_FILE` points to. Where no PostgreSQL, Redis, S3 or Stripe is configured, the embedded parts stand in (see
`store.embedded`); they keep all they write under `CLEARSONG_HOME`.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str | None = None) -> str:
    """The value of `name`, or the content of the file named by `name_FILE`; loud when neither is there."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"Set {name}, or {name}_FILE to a file that holds it.")
    return value


def flag(name: str, *, default: bool) -> bool:
    value = text(name, "yes" if default else "no").lower()
    if value not in {"yes", "no", "true", "false", "1", "0"}:
        raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")
    return value in {"yes", "true", "1"}


def number(name: str, default: int) -> int:
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None


def words(name: str, default: str = "") -> list[str]:
    return [word for word in text(name, default).replace(",", " ").split() if word]


HOME = Path(text("CLEARSONG_HOME", str(BASE_DIR / "var"))).resolve()
DEBUG = flag("DEBUG", default=False)
SITE_URL = text("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
SITE_NAME = text("SITE_NAME", "Clearsong")
_site = urlsplit(SITE_URL)
SECURE_SITE = _site.scheme == "https"


def _kept_secret() -> str:
    """The key of an embedded instance: made on first use, kept in its home, readable by its owner alone."""
    path = HOME / "secrets" / "secret_key"
    if not path.exists():
        import secrets

        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


SECRET_KEY = text("SECRET_KEY", "") or _kept_secret()
ALLOWED_HOSTS = words("ALLOWED_HOSTS", f"{_site.hostname} localhost 127.0.0.1 [::1]")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS", SITE_URL)

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "csp",
    "catalog",
    "licensing",
    "transcoding",
    "payments",
    "store",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "store.urls"
WSGI_APPLICATION = "store.wsgi.application"
AUTH_USER_MODEL = "store.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "store" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "store.views.context.site",
            ],
        },
    },
]

APPLICATION_ROLE = "clearsong_app"


def _database(url: str) -> dict[str, object]:
    """Django's settings for a `postgresql://` address.

    The application works as `clearsong_app`, which may neither truncate nor change what is append-only; only
    `migrate` works as the owner that the address names.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must begin with postgresql://, not {parts.scheme}://.")
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    as_owner = "migrate" in sys.argv[1:2] or "pytest" in sys.modules
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "clearsong",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": number("DATABASE_CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {} if as_owner else {"options": f"-c role={APPLICATION_ROLE}"},
    }


DATABASES = {"default": _database(text("DATABASE_URL"))}
REDIS_URL = text("REDIS_URL")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
_manifest = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_plain = "django.contrib.staticfiles.storage.StaticFilesStorage"

# Audio goes through transcoding.storage; evidence and artwork through these.
AUDIO_BUCKET = text("AUDIO_BUCKET", "")
AUDIO_ROOT = HOME / "audio"
S3_ENDPOINT_URL = text("S3_ENDPOINT_URL", "")
S3_PUBLIC_ENDPOINT_URL = text("S3_PUBLIC_ENDPOINT_URL", S3_ENDPOINT_URL)
S3_ACCESS_KEY = text("S3_ACCESS_KEY", "")
S3_SECRET_KEY = text("S3_SECRET_KEY", "")
S3_REGION = text("S3_REGION", "us-east-1")


def _files(folder: str) -> dict[str, object]:
    if not AUDIO_BUCKET:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": HOME / folder, "base_url": None, "allow_overwrite": False},
        }
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": AUDIO_BUCKET,
            "location": folder,
            "endpoint_url": S3_ENDPOINT_URL or None,
            "access_key": S3_ACCESS_KEY or None,
            "secret_key": S3_SECRET_KEY or None,
            "region_name": S3_REGION,
            "file_overwrite": False,
        },
    }


STORAGES = {
    "default": _files("files"),
    "evidence": _files("evidence"),
    "artwork": _files("artwork"),
    "staticfiles": {"BACKEND": _plain if DEBUG or "pytest" in sys.modules else _manifest},
}

# Money. Without STRIPE_SECRET_KEY the sandbox answers; its address and keys come from store.embedded.
STRIPE_SECRET_KEY = text("STRIPE_SECRET_KEY", "") or text("SANDBOX_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRETS = words("STRIPE_WEBHOOK_SECRETS") or words("SANDBOX_WEBHOOK_SECRET")
STRIPE_API_BASE = text("STRIPE_API_BASE", "")
STORE_CURRENCY = text("STORE_CURRENCY", "EUR")
COMMISSION_PERCENT = text("COMMISSION_PERCENT", "15")
WORK_ROYALTY_PERCENT = text("WORK_ROYALTY_PERCENT", "10")
PAYOUT_MINIMUM_MINOR = number("PAYOUT_MINIMUM_MINOR", 100)

# Audio limits of the fence: refused before decoding where the header says so, killed where it lied.
FFMPEG = text("FFMPEG", "")
MASTER_MAX_BYTES = number("MASTER_MAX_BYTES", 2 * 1024**3)
MASTER_MAX_SECONDS = number("MASTER_MAX_SECONDS", 6 * 3600)
PREVIEW_SECONDS = number("PREVIEW_SECONDS", 30)

CELERY_BROKER_URL = text("CELERY_BROKER_URL", REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host="))
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_TASK_ROUTES = {"transcoding.tasks.*": {"queue": "cpu"}}
CELERY_BEAT_SCHEDULE = {
    "sweep-masters": {"task": "transcoding.tasks.sweep", "schedule": timedelta(seconds=5)},
    "sweep-store": {"task": "store.tasks.sweep", "schedule": timedelta(seconds=5)},
    "sweep-payments": {"task": "payments.tasks.sweep", "schedule": timedelta(seconds=5)},
}

# Accounts: an e-mail address and a password; confirmations by mail.
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_UNIQUE_EMAIL = True
LOGIN_REDIRECT_URL = "/library/"
LOGIN_URL = "/account/login/"
EMAIL_BACKEND = text("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = HOME / "mail"
EMAIL_HOST = text("EMAIL_HOST", "localhost")
EMAIL_PORT = number("EMAIL_PORT", 25)
EMAIL_HOST_USER = text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", default=False)
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", f"shop@{_site.hostname}")
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Security. Behind TLS everything is strict; a plain http SITE_URL is for one's own machine only.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SITE
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = SECURE_SITE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SITE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SITE
if flag("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "media-src": ["'self'"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": text("LOG_LEVEL", "INFO")},
}
