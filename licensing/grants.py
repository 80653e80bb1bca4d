"""Licence records: hand one in, change it by a new version, end it. Nothing is ever edited."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from catalog.models import Party, Recording, Work
from licensing import affected, clearance, licences
from licensing.errors import GrantOutdated, GrantRefused, TerritoryError
from licensing.licences import LicenceError
from licensing.models import GrantEnd, GrantEvidence, Instrument, LicenceGrant, RightsHolder
from licensing.terms import ALL_USES, Basis, CmoStatus, EndKind, EvidenceKind, Layer, Licensee, Use
from licensing.territories import TerritorySet

Term = TypeVar("Term", Layer, Basis, EndKind)

SALE_USES = frozenset({Use.PERMANENT_DOWNLOAD, Use.PREVIEW, Use.REDOWNLOAD})


def ensure_holder(party: Party) -> RightsHolder:
    """The party as a rights holder; made on the first call."""
    holder, _made = RightsHolder.objects.get_or_create(party=party)
    return holder


def record_grant(
    holder: RightsHolder,
    *,
    layer: Layer | str,
    subject: Recording | Work | None = None,
    catalogue: Party | None = None,
    basis: Basis | str,
    evidence: Sequence[Instrument],
    actor: str,
    submitted_for: Party | None = None,
    licensee: Licensee | str | None = None,
    licence_url: str = "",
    licence_statement: str = "",
    uses: Iterable[Use | str] | None = None,
    territories: TerritorySet | None = None,
    starts_on: date | None = None,
    ends_on: date | None = None,
    share: Fraction = Fraction(1),
    cmo_status: CmoStatus | str | None = None,
    at: datetime | None = None,
    **terms: Any,
) -> LicenceGrant:
    """Hand in a record: SUBMITTED until somebody independent reviews it.

    Left out, the record covers the world without end and the whole layer, for sale, preview and downloading again; a
    public licence covers every use, because that is what it says. Either `subject` names one recording or work, or
    `catalogue` a party: all recordings of that label, or all works in which that party, or a member of that society,
    has a share, whichever they are on the day of asking. `submitted_for` is the label whose own people may not review
    it: the recording's label, or the holder itself. A declaration among the evidence is the holder's word
    that no writer is bound to a society, so it settles `cmo_status` unless that is given. Raises GrantRefused.
    """
    layer, basis = _known(Layer, layer, "layer"), _known(Basis, basis, "basis")
    where = _territories(territories)
    public = basis is Basis.PUBLIC_LICENCE
    fields: dict[str, Any] = {
        "layer": layer.value,
        "basis": basis.value,
        "licensor": holder,
        "licensee": str(licensee or (Licensee.PUBLIC if public else Licensee.STORE)),
        "licence_url": _address(licence_url),
        "licence_statement": licence_statement,
        "uses": _uses(uses if uses is not None else (ALL_USES if public else SALE_USES)),
        "territory_mode": where.mode,
        "territories": sorted(where.codes),
        "starts_on": starts_on,
        "ends_on": ends_on,
        "share_numerator": share.numerator,
        "share_denominator": share.denominator,
        "cmo_status": str(cmo_status or _declared(evidence)),
        "submitted_by": actor,
        "submitted_for": submitted_for or _default_label(subject, catalogue, layer, holder),
        "created_at": at or timezone.now(),
        **_subject(layer, subject, catalogue, material=str(terms.get("material", ""))),
        **terms,
    }
    _check(fields)
    with transaction.atomic():
        grant = LicenceGrant.objects.create(**fields)
        _attach(grant, evidence)
    return grant


def new_version(
    grant: LicenceGrant,
    *,
    actor: str,
    evidence: Sequence[Instrument] | None = None,
    at: datetime | None = None,
    **changes: Any,
) -> LicenceGrant:
    """The same record, changed. It replaces `grant` at once and waits for a review of its own.

    `changes` are fields of `LicenceGrant`, and `territories_set` for both territory fields. Without `evidence` the new
    version rests on the old one's. Raises GrantOutdated where `grant` is not the newest version.
    """
    fields = {field.attname: getattr(grant, field.attname) for field in LicenceGrant._meta.concrete_fields}
    del fields["id"]
    where = changes.pop("territories_set", None)
    if where is not None:
        checked = _territories(where)
        fields.update(territory_mode=checked.mode, territories=sorted(checked.codes))
    share = changes.pop("share", None)
    if share is not None:
        fields.update(share_numerator=share.numerator, share_denominator=share.denominator)
    if "licence_url" in changes:
        changes["licence_url"] = _address(changes["licence_url"])
    fields.update(changes)
    fields.update(
        version=grant.version + 1, supersedes_id=grant.pk, submitted_by=actor, created_at=at or timezone.now()
    )
    _check(fields)
    with transaction.atomic():
        found = affected.by_grant(grant)
        clearance.lock(found)
        if LicenceGrant.objects.filter(supersedes=grant).exists():
            raise GrantOutdated("A newer version of this record exists. Open that one and change it instead.")
        newer = LicenceGrant.objects.create(**fields)
        _attach(newer, evidence if evidence is not None else list(grant.evidence.all()))
        clearance.decide_again(found, at=newer.created_at, actor=actor)
    return newer


def end_grant(
    grant: LicenceGrant,
    *,
    reason: str,
    actor: str,
    at: datetime | None = None,
    kind: EndKind | str = EndKind.REVOKED,
    void_title: bool = False,
) -> GrantEnd:
    """Revoke, suspend or resume a record, all its versions. What no longer clears is off sale with the next request.

    `void_title` says that the licensor never held the right: past buyers' downloads stop as well. Raises GrantRefused
    where there is no reason, or where the record was revoked before.
    """
    kind = _known(EndKind, kind, "kind of end")
    if not reason.strip():
        raise GrantRefused("Say why the record ends; the label and later readers need the reason.")
    with transaction.atomic():
        found = affected.by_grant(grant)
        clearance.lock(found)
        earlier = GrantEnd.objects.filter(grant__record_id=grant.record_id, kind=EndKind.REVOKED)
        if earlier.exists():
            raise GrantRefused("The record was revoked. Hand in a new record instead.")
        end = GrantEnd.objects.create(
            grant=grant, kind=kind.value, reason=reason, void_title=void_title, actor=actor, at=at or timezone.now()
        )
        clearance.decide_again(found, at=end.at, actor=actor)
    return end


def _attach(grant: LicenceGrant, evidence: Iterable[Instrument]) -> None:
    each = {instrument.pk: instrument for instrument in evidence}.values()
    GrantEvidence.objects.bulk_create(GrantEvidence(grant=grant, instrument=instrument) for instrument in each)


def _known(terms: type[Term], value: str, what: str) -> Term:
    try:
        return terms(value)
    except ValueError:
        raise GrantRefused(f"{value!r} is no {what}. Choose one of {', '.join(terms)}.") from None


def _subject(
    layer: Layer, subject: Recording | Work | None, catalogue: Party | None, *, material: str
) -> dict[str, Any]:
    if (subject is None) == (catalogue is None):
        raise GrantRefused(
            "A record is about one recording, one work or one whole catalogue. Name exactly one of them."
        )
    if subject is None:
        if material:
            raise GrantRefused("A record for other people's music inside a recording names the recording. Name it.")
        return {"catalogue": catalogue}
    if isinstance(subject, Recording):
        if layer is Layer.WORK and not material:
            raise GrantRefused("A record for the work layer is about a work, not a recording. Name the work.")
        return {"recording": subject}
    if layer is Layer.RECORDING:
        raise GrantRefused("A record for the recording layer is about a recording. Name the recording.")
    return {"work": subject}


def _default_label(
    subject: Recording | Work | None, catalogue: Party | None, layer: Layer, holder: RightsHolder
) -> Party:
    if isinstance(subject, Recording):
        return subject.label
    return catalogue if catalogue is not None and layer is Layer.RECORDING else holder.party


def _territories(territories: TerritorySet | None) -> TerritorySet:
    where = territories or TerritorySet.world()
    try:
        return TerritorySet.parse(where.mode, where.codes)
    except TerritoryError as error:
        raise GrantRefused(str(error)) from error


def _uses(uses: Iterable[Use | str]) -> list[str]:
    wanted = sorted(str(use) for use in uses)
    unknown = [use for use in wanted if use not in ALL_USES]
    if unknown or not wanted:
        raise GrantRefused(f"{', '.join(unknown) or 'Nothing'} is no use. Choose among {', '.join(sorted(ALL_USES))}.")
    return wanted


def _address(url: str) -> str:
    """The licence's own address where it is on the closed list; what was stated, as it was, where it is not."""
    if not url:
        return ""
    try:
        return licences.parse(url).url
    except LicenceError:
        return url.strip()[:300]


def _declared(evidence: Iterable[Instrument]) -> CmoStatus:
    declared = any(instrument.kind == EvidenceKind.DECLARATION for instrument in evidence)
    return CmoStatus.NOT_BOUND if declared else CmoStatus.UNKNOWN


def _check(fields: dict[str, Any]) -> None:
    """What the database would refuse as well, in words."""
    starts_on, ends_on = fields["starts_on"], fields["ends_on"]
    if starts_on and ends_on and ends_on < starts_on:
        raise GrantRefused("The licence ends before it begins. Correct the dates.")
    if not 0 < Fraction(fields["share_numerator"], fields["share_denominator"]) <= 1:
        raise GrantRefused("A share is more than nothing and at most the whole. Correct the share.")
    if not fields["submitted_by"]:
        raise GrantRefused("A record needs somebody who hands it in.")
