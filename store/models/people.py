"""Who signs in, and for which label they act."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes people known by their e-mail address alone; addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractUser):
    """A person who signs in: a shopper first; a label's, a reviewer or finance staff where a row or flag says so."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=2, blank=True)
    is_reviewer = models.BooleanField(default=False)
    is_finance = models.BooleanField("finance staff", default=False, db_default=False)

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @property
    def actor(self) -> str:
        """How the apps below name this person; outlives the account."""
        return f"user:{self.pk}"


class Membership(models.Model):
    """A person may act for a label."""

    class Role(models.TextChoices):
        OWNER = "OWNER"
        MEMBER = "MEMBER"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "label"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} for {self.label_id}"
