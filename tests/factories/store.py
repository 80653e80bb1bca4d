"""Rows of the shop for tests. Cast: Alice buys, Bob runs the label, Rita reviews, Charlie is a stranger."""

import hashlib
import itertools
import json
from datetime import UTC, datetime

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.internal.userkit import user_id_to_str
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db.models import Q
from django.test import Client

from catalog.models import Credit, Party, Recording, Release, Track, Work
from licensing.models import ClearanceDecision, LicenceGrant
from store.models import Offer, Order, OrderLine, ReviewDue, User
from tests.factories import shelf

_numbers = itertools.count(1)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SOUND = "5" * 64


def make_user(name="Alice", **over):
    email = over.pop("email", f"{name.lower()}{next(_numbers)}@example.org")
    return User.objects.create_user(email, over.pop("password", None), **{"name": name, **over})


def sign_in(user, *, second_factor=True):
    """A browser signed in as this person; where the desk asks for one, with the second factor shown unless left out."""
    client = Client()
    client.force_login(user)
    if (user.is_reviewer or user.is_finance) and second_factor:
        held = Authenticator.objects.filter(user=user).first() or TOTP.activate(user, generate_totp_secret()).instance
        show_factor(client, user, held)
    return client


def show_factor(client, user, held):
    """The session as allauth leaves it once the person has shown this factor."""
    session = client.session
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = user_id_to_str(user)
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "id": held.pk, "type": held.type}]
    session.save()


def make_label(name="Bob's Records", **over):
    return Party.objects.create(
        **{"name": name, "sort_name": name, "slug": f"label-{next(_numbers)}", "kind": "ORGANISATION", **over}
    )


def make_recording(label=None, title="Elan", artist="Ana", **over):
    label = label or make_label()
    recording = Recording.objects.create(**{"title": title, "label": label, **over})
    party = Party.objects.create(name=artist, sort_name=artist, slug=f"artist-{next(_numbers)}", kind="PERSON")
    Credit.objects.create(party=party, recording=recording, role="MAIN_ARTIST")
    recording.works.add(Work.objects.create(title=title))
    return recording


def make_release(label=None, tracks=2, title="First Light", **over):
    label = label or make_label()
    release = Release.objects.create(**{"title": title, "label": label, "slug": f"release-{next(_numbers)}", **over})
    for number in range(1, tracks + 1):
        recording = make_recording(label, title=f"Piece {number}")
        Track.objects.create(release=release, number=number, recording=recording)
    return release


def licences(recording):
    """Approved records for a recording and its work: those there are, or new ones, which nobody is told to look at."""
    about = Q(recording=recording) | Q(work__in=recording.works.all())
    found = list(LicenceGrant.objects.filter(about, reviews__outcome="APPROVED", successor=None))
    if not found:
        last = ReviewDue.objects.order_by("pk").values_list("pk", flat=True).last() or 0
        found = shelf.make_records(recording, SOUND, holder=shelf.make_holder(recording.label))
        ReviewDue.objects.filter(pk__gt=last).delete()
    return found


def make_decision(subject, countries=("DE", "US"), use="PERMANENT_DOWNLOAD", *, records=None, **over):
    """A decision row as licensing keeps it, without asking its rules. It relies on `records`, or on real ones."""
    key = "release" if isinstance(subject, Release) else "recording"
    if records is None:
        sold = subject.recordings.all() if key == "release" else [subject]
        records = [grant for recording in sold for grant in licences(recording)] if countries else []
    relied = [{"record": str(one.record_id), "version": one.version, "layer": one.layer} for one in records]
    group = {"countries": sorted(countries), "relied_on": [one["record"] for one in relied]}
    verdict = {"cleared": [group] if countries else [], "records": relied, "row": next(_numbers)}
    sha256 = hashlib.sha256(json.dumps(verdict).encode()).hexdigest()
    fields = {
        key: subject,
        "use": use,
        "at": NOW,
        "engine": "test",
        "cleared_countries": sorted(countries),
        "verdict": verdict,
        "verdict_sha256": sha256,
        "answer_sha256": sha256,
        "sound_sha256": SOUND,
        "actor": "test",
    }
    return ClearanceDecision.objects.create(**{**fields, **over})


def make_offer(subject=None, *, decision=None, **over):
    """An open offer of a track or release, on a fresh decision for DE and US unless one is given."""
    subject = subject or make_release(tracks=1).tracks.get()
    key = "release" if isinstance(subject, Release) else "track"
    about = subject if key == "release" else subject.recording
    fields = {key: subject, "decision": decision or make_decision(about), "currency": "EUR", "amount_minor": 100}
    return Offer.objects.create(**{**fields, **over})


def order_fields(buyer=None, **over):
    number = f"CS-TEST-{next(_numbers)}"
    return {
        "number": number,
        "buyer": buyer or make_user(),
        "email": "alice@example.org",
        "country": "DE",
        "currency": "EUR",
        "total_minor": 100,
        "tax_minor": 16,
        "request_key": number,
        "request_sha256": "0" * 64,
        "placed_at": NOW,
        "consent_at": NOW,
        **over,
    }


def line_fields(order, offer, **over):
    subject = offer.release or offer.track
    label = offer.release.label if offer.release_id else offer.track.recording.label
    return {
        "order": order,
        "position": 1,
        "offer": offer,
        "release": offer.release,
        "track": offer.track,
        "label": label,
        "title": subject.title,
        "artist": "Ana",
        "decision": offer.decision,
        "amount_minor": offer.amount_minor,
        "tax_rate": 1900,
        "tax_minor": 16,
        "split": [],
        "buyer_licence_code": "CC-BY-4.0",
        **over,
    }


def make_order(offer=None, *, buyer=None, line=None, **over):
    """A placed order of one line, as rows."""
    offer = offer or make_offer()
    order = Order.objects.create(**order_fields(buyer, **over))
    OrderLine.objects.create(**line_fields(order, offer, **(line or {})))
    return order
