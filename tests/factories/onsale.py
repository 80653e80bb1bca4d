"""A release that licensing's own rules clear and the shop's own review has put on sale; the files are rows only."""

from typing import Any

from django.utils import timezone

from catalog.models import Party, Recording, Release, Work
from licensing.models import LicenceGrant
from licensing.terms import Basis, EvidenceKind
from store import offers
from tests.factories import catalog, licensing, transcoding
from tests.factories.kept import kept
from transcoding.models import Rendition


def review() -> None:
    """What the worker does until nothing is marked."""
    while offers.review_due(at=timezone.now()).recordings:
        pass


def make_ready() -> None:
    """Every planned file becomes ready, as a worker would leave it."""
    Rendition.objects.filter(state=Rendition.State.PLANNED).update(
        state=Rendition.State.READY, sha256="a" * 64, bytes=1000, samples=1000, storage_key="renditions/aa/a",
        ready_at=licensing.NOW,
    )  # fmt: skip


def agree(subject: Recording | Work, **terms: Any) -> LicenceGrant:
    """An approved record by agreement with this store."""
    evidence = [licensing.make_evidence(EvidenceKind.AGREEMENT, text=f"Agreement about {subject}")]
    fields = {"basis": Basis.DIRECT, "licence_url": "", "evidence": evidence, **terms}
    return licensing.make_approved(subject, **fields)


@kept()
def put_on_sale(title: str = "First Light", *, label: Party | None = None, tracks: int = 1, **terms: Any) -> Release:
    """Tracks by agreement, both layers from the label, on sale at one euro each and as a whole."""
    label = label or catalog.make_label()
    holder = licensing.make_holder(label)
    release = catalog.make_release(title, label=label, artist=catalog.make_party("Ana Lind"))
    for number in range(1, tracks + 1):
        recording = catalog.make_recording(
            f"{title}, part {number}", label=label, artist=catalog.make_party("Ana Lind")
        )
        catalog.make_track(release, recording, number=number)
        sound = transcoding.make_master(recording).sound_sha256
        subjects: list[Recording | Work] = [recording, *recording.works.all()]
        for subject in subjects:
            agree(subject, holder=holder, sound=sound, **terms)
        offers.set_price(recording, currency="EUR", amount_minor=100, actor="user:bob")
    offers.set_price(release, currency="EUR", amount_minor=100 * tracks, actor="user:bob")
    review()
    make_ready()
    review()
    return release
