"""Settings of one Clearsong instance, read from the environment.

Every value has a reader that says what is wrong when it cannot be read. A secret `NAME` may come from the file that
`NAME_FILE` points to. Where no PostgreSQL, Redis, S3 or Stripe is configured, the embedded parts stand in (see
`store.embedded`); they keep all they write under `CLEARSONG_HOME`.
"""

import os
import re
import sys
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from licensing.notice_rules import FEWEST_DAYS, MOST_DAYS
from store import embedded

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str | None = None) -> str:
    """The value of `name`, or the content of the file named by `name_FILE`; loud when neither is there."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error}") from None
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
    """A whole number, nought or more."""
    value = text(name, str(default))
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def percent(name: str, default: str) -> str:
    """A decimal number of 0 to 100, kept as the text it was, because a float would not keep it."""
    value = text(name, default)
    try:
        fits = 0 <= Decimal(value) <= 100  # noqa: PLR2004 - that is what a percentage is
    except InvalidOperation:
        fits = False
    if not fits:
        raise ImproperlyConfigured(f"{name} must be a number from 0 to 100, such as 12.5, not {value!r}.")
    return value


def address(name: str, default: str) -> str:
    """An http or https address, without the slash at its end; empty where the default is."""
    value = text(name, default).rstrip("/")
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ImproperlyConfigured(f"{name} must begin with http:// or https:// and name a host, not {value!r}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    return [word for word in text(name, default).replace(",", " ").split() if word]


def dates(name: str) -> frozenset[date]:
    """Days, each written as 2026-12-25."""
    try:
        return frozenset(date.fromisoformat(word) for word in words(name))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be days such as 2026-12-25, apart by spaces.") from None


def minimums(listed: list[str]) -> dict[str, int]:
    """Amounts in minor units by currency, each written as `USD:500`."""
    found = {}
    for word in listed:
        match = re.fullmatch(r"([A-Z]{3}):([0-9]{1,12})", word)
        if match is None:
            raise ImproperlyConfigured(f"Amounts by currency read like USD:500 JPY:1000 (minor units), not {word!r}.")
        found[match[1]] = int(match[2])
    return found


def withholding(listed: list[str]) -> dict[str, tuple[int, int]]:
    """Rates in millionths by country, each written in per cent as `US:30:24`: of payees abroad, of its residents."""
    found = {}
    rate = r"([0-9]{1,2}(?:\.[0-9]{1,4})?)"
    for word in listed:
        match = re.fullmatch(rf"([A-Z]{{2}}):{rate}(?::{rate})?", word)
        if match is None and word != "none":
            raise ImproperlyConfigured(f"WITHHOLDING must read like US:30:24 DE:15.825, or none, not {word!r}.")
        if match is not None:
            found[match[1]] = (int(Decimal(match[2]) * 10_000), int(Decimal(match[3] or 0) * 10_000))
    return found


TESTING = "pytest" in sys.modules
HOME = embedded.home()  # CLEARSONG_HOME
(HOME / "run").mkdir(parents=True, exist_ok=True)
DEBUG = flag("DEBUG", default=False)
SITE_URL = address("SITE_URL", "http://127.0.0.1:8000")
SITE_NAME = text("SITE_NAME", "Clearsong")
SOURCE_URL = address("SOURCE_URL", "")
_site = urlsplit(SITE_URL)
EVIDENCE_HOST = address("EVIDENCE_HOST", "")
SECURE_SITE = _site.scheme == "https"
SECRET_KEY = text("SECRET_KEY", "") or embedded.kept_secret("secret_key")
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = words("ALLOWED_HOSTS", f"{_site.hostname} localhost 127.0.0.1 [::1]")
if EVIDENCE_HOST:
    ALLOWED_HOSTS.append(urlsplit(EVIDENCE_HOST).hostname or "")
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
    "store.csp.PolicyMiddleware",
    "store.views.attachments.evidence_host",
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

# The application works as this role, which may neither truncate nor change what is append-only (store.privileges).
# Only these commands work as the owner that the address names: they make the tables, or look before there are any.
APPLICATION_ROLE = "clearsong_app"
OWNER_COMMANDS = {"migrate", "makemigrations", "showmigrations", "sqlmigrate", "flush", "dbshell", "check", "test"}
AS_OWNER = TESTING or (bool(sys.argv[1:]) and sys.argv[1] in OWNER_COMMANDS)


def _database(url: str) -> dict[str, object]:
    """Django's settings for a `postgresql://` address. The web keeps a pool, see `store.wsgi`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must begin with postgresql://, not {parts.scheme}://.")
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    options: dict[str, object] = {} if AS_OWNER else {"options": f"-c role={APPLICATION_ROLE}"}
    if "sslmode" in query:
        options["sslmode"] = query["sslmode"]
    pool = number("DATABASE_POOL", 0)
    if pool:
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "clearsong",
        "USER": unquote(parts.username or ""),
        "PASSWORD": text("DATABASE_PASSWORD", "") or unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0 if pool else number("DATABASE_CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def _next_database(redis_url: str) -> str:
    """The same server's next database, for the cache: emptying a cache must not empty the queues."""
    head, number_, tail = re.fullmatch(r"(.*?(?:[?&]db=|//[^/?]+/))(\d+)(.*)", redis_url).groups()  # type: ignore[union-attr]
    return f"{head}{int(number_) + 1}{tail}"


DATABASES = {"default": _database(text("DATABASE_URL"))}
REDIS_URL = text("REDIS_URL")
if not re.fullmatch(r"(rediss?://[^/?]+/\d+|unix://[^?]+\?db=\d+)(&.*|\?.*)?", REDIS_URL):
    raise ImproperlyConfigured("REDIS_URL must read redis://HOST:PORT/NUMBER, or unix://PATH?db=NUMBER.")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": text("CACHE_URL", _next_database(REDIS_URL)),
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
_manifest = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_plain = "django.contrib.staticfiles.storage.StaticFilesStorage"

# Audio goes through transcoding.storage; evidence and artwork through these.
AUDIO_BUCKET = text("AUDIO_BUCKET", "")
AUDIO_ROOT = HOME / "audio"
S3_ENDPOINT_URL = address("S3_ENDPOINT_URL", "")
S3_PUBLIC_ENDPOINT_URL = address("S3_PUBLIC_ENDPOINT_URL", S3_ENDPOINT_URL)
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
    "staticfiles": {"BACKEND": _plain if DEBUG or TESTING else _manifest},
}

# Money. Without STRIPE_SECRET_KEY the sandbox answers; its address and keys come from store.embedded.
STRIPE_SECRET_KEY = text("STRIPE_SECRET_KEY", "") or text("SANDBOX_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRETS = words("STRIPE_WEBHOOK_SECRETS") or words("SANDBOX_WEBHOOK_SECRET")
STRIPE_API_BASE = address("STRIPE_API_BASE", "")
STORE_CURRENCY = text("STORE_CURRENCY", "EUR")
COMMISSION_PERCENT = percent("COMMISSION_PERCENT", "15")
WORK_ROYALTY_PERCENT = percent("WORK_ROYALTY_PERCENT", "10")
FEE_BORNE_BY = text("FEE_BORNE_BY", "commission").upper()
if FEE_BORNE_BY not in {"COMMISSION", "HOLDERS"}:
    raise ImproperlyConfigured("FEE_BORNE_BY must be commission or holders: who bears what a payment costs.")
PAYMENT_FEE_PERCENT = percent("PAYMENT_FEE_PERCENT", "1.5")
PAYMENT_FEE_MINOR = number("PAYMENT_FEE_MINOR", 25)
RESERVE_PERCENT = percent("RESERVE_PERCENT", "0")
RESERVE_DAYS = number("RESERVE_DAYS", 14)
REFUND_DAYS = number("REFUND_DAYS", 14)  # how long a buyer may take back what she bought; 0: not by herself
REFUND_AFTER_DOWNLOAD = flag("REFUND_AFTER_DOWNLOAD", default=False)
TAX_ON_TIPS = flag("TAX_ON_TIPS", default=True)  # whether tax is inside what buyers freely give above a price as well
PAYOUT_MINIMUM_MINOR = number("PAYOUT_MINIMUM_MINOR", 100)
PAYOUT_MINIMUMS = minimums(words("PAYOUT_MINIMUMS"))  # by currency, where it is another: USD:500 JPY:1000
# What countries withhold of royalties earned from buyers there: of payees abroad, and of their own without a form.
WITHHOLDING = withholding(words("WITHHOLDING", "US:30:24"))
# Who pays by bank transfer, for payees whom Stripe does not reach.
BANK_HOLDER = text("BANK_HOLDER", "")
BANK_IBAN = text("BANK_IBAN", "").replace(" ", "")
BANK_BIC = text("BANK_BIC", "")
BANK_CHANGE_DAYS = number("BANK_CHANGE_DAYS", 7)  # how long an account that a label gives waits before it is paid to
# Our name among DDEX's parties, for the sales reports that labels download.
DDEX_PARTY_ID = text("DDEX_PARTY_ID", "")
CREDIT_CAP_MINOR = number("CREDIT_CAP_MINOR", 15000)  # in a buyer's wallet, and on a gift card; 0 sells neither

# Tax, and who issues the invoices. SELLER_ADDRESS has its lines apart by "|".
SELLER_NAME = text("SELLER_NAME", "")
SELLER_ADDRESS = [line.strip() for line in text("SELLER_ADDRESS", "").split("|") if line.strip()]
SELLER_COUNTRY = text("SELLER_COUNTRY", "")
if not re.fullmatch(r"([A-Z]{2})?", SELLER_COUNTRY):
    raise ImproperlyConfigured("SELLER_COUNTRY must be two capital letters, such as DE or GR.")
SELLER_VAT_ID = re.sub(r"[ .-]", "", text("SELLER_VAT_ID", "")).upper()
SELLER_REGISTER = text("SELLER_REGISTER", "")
# Let Stripe Tax reckon the tax of what is paid there, in place of our table.
STRIPE_TAX = flag("STRIPE_TAX", default=False)
STRIPE_TAX_CODE = text("STRIPE_TAX_CODE", "txcd_10401100")  # digital audio works, downloaded, with permanent rights
INVOICE_SERIES = text("INVOICE_SERIES", "CS")
if not re.fullmatch(r"[A-Z0-9]{1,8}", INVOICE_SERIES):
    raise ImproperlyConfigured("INVOICE_SERIES must be one to eight capital letters or digits.")
VIES_URL = address("VIES_URL", "https://ec.europa.eu/taxation_customs/vies/rest-api")
VIES_UNANSWERED = text("VIES_UNANSWERED", "tax")
if VIES_UNANSWERED not in {"tax", "refuse"}:
    raise ImproperlyConfigured("VIES_UNANSWERED must be tax or refuse.")
COUNTRY_HEADER = text("COUNTRY_HEADER", "")  # believed only behind a proxy, see BEHIND_PROXY below
LOCATION_PROOFS = number("LOCATION_PROOFS", 2)
if LOCATION_PROOFS not in {1, 2}:
    raise ImproperlyConfigured("LOCATION_PROOFS must be 2, or 1 for a seller of less than 100,000 EUR a year abroad.")

# Signs certificates and the heads of the chains: 32 random bytes in base64. Without it one is made, kept in the home.
CERTIFICATE_KEY = text("CERTIFICATE_KEY", "")
if CERTIFICATE_KEY and not re.fullmatch(r"[A-Za-z0-9+/]{43}=", CERTIFICATE_KEY):
    raise ImproperlyConfigured("CERTIFICATE_KEY must be 32 bytes in base64, as `openssl rand -base64 32` makes them.")

# Notices: how long a counter-notice's clock runs, and whether what was taken down returns by itself after it.
COUNTER_NOTICE_DAYS = number("COUNTER_NOTICE_DAYS", 10)
if not FEWEST_DAYS <= COUNTER_NOTICE_DAYS <= MOST_DAYS:
    raise ImproperlyConfigured(f"COUNTER_NOTICE_DAYS must be {FEWEST_DAYS} to {MOST_DAYS} business days.")
COUNTER_NOTICE_RESTORES = flag("COUNTER_NOTICE_RESTORES", default=False)
NOTICE_HOLIDAYS = dates("NOTICE_HOLIDAYS")
REDOWNLOAD_NOTICE_DAYS = number("REDOWNLOAD_NOTICE_DAYS", 30)
REPORTS_PER_EMAIL = number("REPORTS_PER_EMAIL", 3)
REPORTS_PER_ADDRESS = number("REPORTS_PER_ADDRESS", 6)

# What Prometheus shows to read the operators' figures; without one nobody but staff may.
METRICS_TOKEN = text("METRICS_TOKEN", "")

# Audio limits of the fence: refused before decoding where the header says so, killed where it lied.
FFMPEG = text("FFMPEG", "")
MASTER_MAX_BYTES = number("MASTER_MAX_BYTES", 8 * 1024**3)
MASTER_MAX_DECODED_BYTES = number("MASTER_MAX_DECODED_BYTES", 8 * 1024**3)  # three hours in 24 bits at 96 kHz fit
SCRUB_DAYS = number("SCRUB_DAYS", 1)
UPLOAD_QUOTA_BYTES = number("UPLOAD_QUOTA_BYTES", 50 * 1000**3)  # of one label, on the way at a time
LABEL_QUOTA_BYTES = number("LABEL_QUOTA_BYTES", 1000**4)  # of one label, masters included; 0: no limit
UPLOAD_MAX_FILES = number("UPLOAD_MAX_FILES", 1000)  # in one delivery
MASTER_MAX_SECONDS = number("MASTER_MAX_SECONDS", 6 * 3600)
PREVIEW_SECONDS = number("PREVIEW_SECONDS", 90)
if not 30 <= PREVIEW_SECONDS <= 90:  # noqa: PLR2004 - what is asked of every licence, and what none is taken to exceed
    raise ImproperlyConfigured("PREVIEW_SECONDS must be 30 to 90: licences and countries shorten it by themselves.")

# Which ID3 is written into MP3, WAV and AIFF: 4 for v2.4; 3 for v2.3, which the oldest players need.
ID3_VERSION = number("ID3_VERSION", 4)
if ID3_VERSION not in {3, 4}:
    raise ImproperlyConfigured("ID3_VERSION must be 4 (ID3v2.4) or 3 (ID3v2.3, for the oldest players).")

# The reviewers' desk: how long a record may wait, and above which risk or value two reviewers must approve it.
REVIEW_SLA_HOURS = number("REVIEW_SLA_HOURS", 24)
REVIEW_TWO_ABOVE_RISK = number("REVIEW_TWO_ABOVE_RISK", 60)
REVIEW_TWO_ABOVE_MINOR = number("REVIEW_TWO_ABOVE_MINOR", 50_000)
REVIEW_SECOND_FACTOR = flag("REVIEW_SECOND_FACTOR", default=True) or SECURE_SITE  # never off before the public

# Messages only ring bells: what is owed is rows, and the sweeps ring again. So a lost message costs seconds, a doubled
# one nothing, and a web request waits for the broker no longer than it must.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_connect_timeout": 5}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_TASK_ROUTES = {
    "transcoding.tasks.sweep": {"queue": "io"},
    "transcoding.tasks.*": {"queue": "cpu"},
    "store.tasks.draw_evidence": {"queue": "cpu"},
    "store.tasks.scrub": {"queue": "cpu"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "run" / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {  # a sweep that found no worker in time is not waited for: the next one does as well
    f"sweep-{app}": {"task": f"{app}.tasks.sweep", "schedule": timedelta(seconds=5), "options": {"expires": 15}}
    for app in ("transcoding", "store", "payments", "licensing")
}

# Accounts: an e-mail address and a password; confirmations by mail.
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_UNIQUE_EMAIL = True
LOGIN_REDIRECT_URL = "/library/"
LOGIN_URL = "/account/login/"
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"{SITE_NAME}: "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _site.scheme
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/15m/key",  # at most twenty guesses an hour at one account, from wherever they come
    "signup": "10/m/ip",
    "reset_password": "10/m/ip,3/15m/key",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE_SITE
EMAIL_HOST = text("EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = HOME / "mail"
EMAIL_PORT = number("EMAIL_PORT", 587)
EMAIL_HOST_USER = text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", default=True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = text("DEFAULT_FROM_EMAIL", f"shop@{_site.hostname}")
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
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SITE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SITE
BEHIND_PROXY = flag("BEHIND_PROXY", default=False)
if BEHIND_PROXY:  # one proxy of ours, which sets these headers itself and lets none of the visitor's through
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
if COUNTRY_HEADER and not BEHIND_PROXY:
    raise ImproperlyConfigured("COUNTRY_HEADER needs BEHIND_PROXY=yes: without a proxy any visitor could set it.")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_NUMBER_FILES = 200  # an album's folder, not a library
_stripe_pages = [STRIPE_API_BASE] if STRIPE_API_BASE else ["https://checkout.stripe.com", "https://connect.stripe.com"]
_files_from = [S3_PUBLIC_ENDPOINT_URL] if AUDIO_BUCKET and S3_PUBLIC_ENDPOINT_URL else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "img-src": ["'self'", "data:", *_files_from],
        "media-src": ["'self'", *_files_from],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'", *_stripe_pages],  # a form's redirect to the payment page counts as its action
    },
}

# The look of the staff's desk; the colours are those of tokens.css.
UNFOLD = {
    "SITE_TITLE": SITE_NAME,
    "SITE_HEADER": SITE_NAME,
    "SITE_SUBHEADER": "Staff desk",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "4px",
    "COLORS": {
        "base": {
            "50": "#faf8f4", "100": "#f1eee7", "200": "#e2ded5", "300": "#cbc6bb", "400": "#a19d94", "500": "#76736c",
            "600": "#57554f", "700": "#3c3d3d", "800": "#1d2225", "900": "#171b1d", "950": "#121517",
        },
        "primary": {
            "50": "#eef7f2", "100": "#d5ebe0", "200": "#aad8c3", "300": "#7fcaa6", "400": "#5cc79b", "500": "#5cc79b",
            "600": "#0b6b4b", "700": "#09573d", "800": "#084530", "900": "#063524", "950": "#032117",
        },
    },
    "SIDEBAR": {"show_search": True},
    "DASHBOARD_CALLBACK": "store.admin.dashboard",
}  # fmt: skip

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": text("LOG_LEVEL", "INFO")},
    "loggers": {"stripe": {"level": "WARNING"}},  # it tells of every request
}
