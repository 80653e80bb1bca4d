"""F6 at the desk: deciding takes a second factor that this session has shown. The password alone opens the queue, and
decides nothing."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse

from catalog.models import Recording
from licensing.models import LicenceGrant, Question, Review
from store import access, cases, records
from store.access import Factor
from store.demo import cast
from store.models import User
from tests.factories.store import show_factor, sign_in

PASSWORD = "a long enough password"
ACTS = ["review-approve", "review-refuse", "review-ask"]


@pytest.fixture
def rita(rita: User) -> User:
    rita.set_password(PASSWORD)
    rita.save()
    return rita


@pytest.fixture
def app(rita: User) -> Authenticator:
    """Rita's authenticator app."""
    held = TOTP.activate(rita, generate_totp_secret()).instance
    assert isinstance(held, Authenticator)
    return held


def shown(grant: LicenceGrant) -> dict[str, str]:
    return {
        "evidence_sha256": cases.shown_evidence(records.evidence(grant)),
        "sound_sha256": cases.shown_sound(grant, cases.sounds(grant)),
    }


def act(client: Client, grant: LicenceGrant, name: str = "review-approve") -> Any:
    body = shown(grant) | {"reason": "It is not signed.", "text": "Who signed this?"}
    return client.post(reverse(name, args=[grant.record_id]), body)


def log_in(user: User, code: str = "") -> Client:
    """Through the sign-in pages, as a person does."""
    client = Client()
    answer = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    if code:
        assert answer["Location"] == reverse("mfa_authenticate")
        client.post(reverse("mfa_authenticate"), {"code": code})
    return client


@pytest.mark.parametrize("name", ACTS)
def test_without_a_second_factor_nothing_is_decided_and_the_way_to_one_is_shown(
    rita: User, grant: LicenceGrant, name: str
) -> None:
    answer = act(sign_in(rita, second_factor=False), grant, name)
    assert answer["Location"].startswith(reverse("mfa_index"))
    assert not Review.objects.exists()
    assert not Question.objects.exists()


@pytest.mark.parametrize("name", ACTS)
def test_with_the_check_off_the_same_request_goes_through(
    rita: User, grant: LicenceGrant, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "require_second_factor", lambda _request: None)
    act(sign_in(rita, second_factor=False), grant, name)
    assert Review.objects.exists() or Question.objects.exists()


def test_a_session_that_never_showed_it_must_show_it_first(rita: User, app: Authenticator, grant: LicenceGrant) -> None:
    client = Client()
    client.force_login(rita)  # as the staff's sign-in does, which asks for a password only
    assert act(client, grant)["Location"].startswith(reverse("mfa_reauthenticate"))
    assert not Review.objects.exists()
    client.post(reverse("mfa_reauthenticate"), {"code": cast.code_of(rita)})
    act(client, grant)
    assert Review.objects.get().reviewer == rita.actor


def test_whoever_signs_in_with_password_and_code_decides(rita: User, app: Authenticator, grant: LicenceGrant) -> None:
    act(log_in(rita, cast.code_of(rita)), grant)
    assert Review.objects.get().reviewer == rita.actor


@pytest.mark.parametrize("code", ["000000", "", "12345"])
def test_a_wrong_code_opens_nothing(rita: User, app: Authenticator, code: str) -> None:
    client = log_in(rita, code or "x")
    assert client.get(reverse("review")).status_code == 302


def test_a_code_serves_once(rita: User, app: Authenticator) -> None:
    code = cast.code_of(rita)
    assert log_in(rita, code).get(reverse("review")).status_code == 200
    assert log_in(rita, code).get(reverse("review")).status_code == 302


def test_the_codes_on_paper_stand_in_for_the_app_and_not_alone(rita: User, grant: LicenceGrant) -> None:
    paper = Authenticator.objects.create(user=rita, type=Authenticator.Type.RECOVERY_CODES, data={})
    client = sign_in(rita, second_factor=False)
    show_factor(client, rita, paper)
    assert act(client, grant)["Location"].startswith(reverse("mfa_index"))
    TOTP.activate(rita, generate_totp_secret())
    act(client, grant)
    assert Review.objects.exists()


def test_a_factor_that_was_taken_away_counts_no_more(rita: User, grant: LicenceGrant) -> None:
    client = sign_in(rita)
    Authenticator.objects.filter(user=rita).delete()
    TOTP.activate(rita, generate_totp_secret())
    assert act(client, grant)["Location"].startswith(reverse("mfa_reauthenticate"))
    assert not Review.objects.exists()


def test_somebody_elses_factor_in_the_session_counts_for_nothing(
    rita: User, app: Authenticator, sam: User, grant: LicenceGrant
) -> None:
    theirs = TOTP.activate(sam, generate_totp_secret()).instance
    client = sign_in(rita, second_factor=False)
    show_factor(client, rita, theirs)
    act(client, grant)
    assert not Review.objects.exists()


@pytest.mark.django_db(transaction=True)  # allauth tells of a new factor once it is committed
def test_who_sets_up_her_first_factor_has_shown_it(rita: User, grant: LicenceGrant) -> None:
    secret = generate_totp_secret()
    client = log_in(rita)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    session = client.session
    session["mfa.totp.secret"] = secret
    session.save()
    client.post(reverse("mfa_activate_totp"), {"code": cast.code_from(secret)})
    act(client, grant)
    assert Review.objects.get().reviewer == rita.actor


def test_reading_takes_no_second_factor(rita: User, recording: Recording, grant: LicenceGrant) -> None:
    client = sign_in(rita, second_factor=False)
    assert client.get(reverse("review")).status_code == 200
    assert client.get(reverse("review-case", args=[grant.record_id])).status_code == 200


def test_the_setting_lets_her_decide_without_one_on_a_machine_of_ones_own(
    rita: User, grant: LicenceGrant, settings: Any
) -> None:
    settings.REVIEW_SECOND_FACTOR = False
    act(sign_in(rita, second_factor=False), grant)
    assert Review.objects.exists()


def test_every_state_has_a_name(rita: User, rf: Any) -> None:
    request = rf.get("/")
    request.user, request.session = rita, {}
    assert access.second_factor(request) is Factor.MISSING
