"""May a recording be put to a use, in which countries, until when; and where not, why not. Pure.

`decide` answers for all countries at once. It reads nothing but its two arguments and knows no clock; whatever it does
not understand is a refusal. The order of thought is that of the trade: what concerns the whole track; every record by
itself (`judgements`); then each layer (`layers`), which is clear where the records that pass make up exactly the whole.
Countries that are treated alike are decided together, so that a verdict costs a few dozen steps and not 249 times as
many.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime

from licensing.judgements import Judgement, judge
from licensing.layers import Mandate, RightLayer
from licensing.records import (
    Approval,
    Evidence,
    EvidenceItem,
    NoticeFact,
    Question,
    Record,
    evidence_hash,
)
from licensing.terms import Basis, Layer, Material, NoticeKind, Use
from licensing.territories import ALL, day_start
from licensing.verdicts import (
    ClearedGroup,
    LicenceDuty,
    Obligations,
    Reason,
    RefusedGroup,
    Reliance,
    Verdict,
    merged,
)

ENGINE = "3"

__all__ = [
    "ENGINE",
    "Approval",
    "Evidence",
    "EvidenceItem",
    "NoticeFact",
    "Question",
    "Record",
    "Verdict",
    "decide",
    "decide_release",
    "evidence_hash",
]


def decide(question: Question, evidence: Evidence) -> Verdict:
    """The verdict on one recording and one use for every country. Same arguments, same bytes (`Verdict.to_json`)."""
    relevant = _newest(evidence)
    judged = [judge(record, question) for record in relevant]
    materials = [each for each in judged if each.record.material]
    mandates = _mandates(evidence, relevant, question.at) if evidence.memberships else {}
    layers = [
        RightLayer(
            layer,
            subject,
            [
                each
                for each in judged
                if not each.record.material and each.record.layer == layer and each.record.subject == subject
            ],
            evidence.notices,
            mandates.get(subject, ()) if layer is Layer.WORK else (),
        )
        for layer, subject in _subjects(evidence)
    ]
    everywhere, embargo, embargo_ends = _track_reasons(question, evidence)
    masks = {mask for each in judged for _reason, mask in each.partial}
    masks.update(mask for each in judged for _day, mask in (*each.stops, *each.coming))
    masks.update(mask for each in mandates.values() for one in each for mask in (one.mask, one.coming))
    masks.add(embargo)
    unnamed = _attribution(evidence, question)
    answers = (
        (part, _combine(part, layers, materials, evidence=evidence, track=(everywhere, embargo), unnamed=unnamed))
        for part in _parts(masks)
    )
    cleared, refused, used = _groups(answers)
    changes = [each.next_change for each in judged if each.next_change]
    changes += [one.next_change for each in mandates.values() for one in each if one.next_change]
    if embargo_ends:
        changes.append(embargo_ends)
    return Verdict(
        subject=f"recording:{evidence.recording}",
        question=question,
        engine=ENGINE,
        cleared=cleared,
        refused=refused,
        records=tuple(_reliance(each.record) for each in used),
        obligations=_obligations(evidence, question, judged, used),
        good_until=min(changes, default=None),
        warnings=_warnings(evidence),
    )


def _newest(evidence: Evidence) -> list[Record]:
    """The latest version of each record about this recording or its works; others are nobody's business here."""
    about = {(Layer.RECORDING.value, evidence.recording)}
    about.update((Layer.WORK.value, work) for work in evidence.works)
    newest: dict[str, Record] = {}
    for record in evidence.records:
        known = (record.layer, record.subject) in about or (record.material and record.subject == evidence.recording)
        if known and (record.id not in newest or newest[record.id].version < record.version):
            newest[record.id] = record
    return sorted(newest.values(), key=lambda record: (record.layer, record.subject, record.id))


def _subjects(evidence: Evidence) -> list[tuple[Layer, str]]:
    """Every right that has to be whole. A recording of no known work is a recording of an unlicensed one."""
    works = sorted(set(evidence.works)) or [""]
    return [(Layer.RECORDING, evidence.recording), *((Layer.WORK, work) for work in works)]


def _mandates(evidence: Evidence, records: Iterable[Record], at: datetime) -> dict[str, list[Mandate]]:
    """What societies hold of each work that a public licence speaks for; elsewhere a mandate takes nothing away."""
    spoken_for = {record.subject for record in records if record.basis == Basis.PUBLIC_LICENCE}
    found: dict[str, list[Mandate]] = {}
    for fact in evidence.memberships:
        if fact.work in spoken_for and not fact.online_excluded:
            found.setdefault(fact.work, []).append(Mandate(fact, at))
    return found


def _warnings(evidence: Evidence) -> tuple[Reason, ...]:
    if not evidence.identifier_warning:
        return ()
    return (Reason.of("IDENTIFIER_SUSPECT", detail=evidence.identifier_warning),)


def _parts(masks: Iterable[int]) -> list[int]:
    """The coarsest division of all countries in which each mask is a union of parts."""
    parts = [ALL]
    for mask in sorted(masks):
        split = []
        for part in parts:
            inside = part & mask
            split += [inside, part & ~mask] if inside and inside != part else [part]
        parts = split
    return parts


def _track_reasons(question: Question, evidence: Evidence) -> tuple[tuple[Reason, ...], int, datetime | None]:
    """What refuses the whole track everywhere; where its release date has not come; when that next changes."""
    reasons = [reason for notice in evidence.notices for reason in _notice_reasons(notice, question)]
    if evidence.identifier_conflict:
        reasons.append(Reason.of("IDENTIFIER_SUSPECT", detail=evidence.identifier_conflict))
    if question.use == Use.PERMANENT_DOWNLOAD and question.prices == ():
        reasons.append(Reason.of("NO_PRICE", detail="none is set"))
    if evidence.embargoed_until is None or question.use in {Use.REDOWNLOAD, Use.PREVIEW}:
        return tuple(reasons), 0, None
    day = day_start(evidence.embargoed_until)
    return tuple(reasons), ALL & ~day.begun_at(question.at), day.next_after(question.at, ALL)


def _notice_reasons(notice: NoticeFact, question: Question) -> Iterator[Reason]:
    """What was bought stays the buyer's: only a recall, or a notice nobody understands, stops fetching it again."""
    if notice.kind == NoticeKind.DISPUTE:
        return
    keeps = notice.kind in {NoticeKind.TAKEDOWN, NoticeKind.LEGAL_HOLD}
    if question.use == Use.REDOWNLOAD and keeps:
        return
    code = "LEGAL_HOLD" if notice.kind == NoticeKind.LEGAL_HOLD else "TAKEN_DOWN"
    known = notice.kind in {*NoticeKind}
    yield Reason.of(code, detail=notice.claimant if known else f"{notice.claimant}: {notice.kind}")


Outcome = tuple[tuple[Reason, ...], tuple[Judgement, ...], date | None]


def _combine(
    part: int,
    layers: Iterable[RightLayer],
    materials: Iterable[Judgement],
    *,
    evidence: Evidence,
    track: tuple[tuple[Reason, ...], int],
    unnamed: Sequence[Reason],
) -> Outcome:
    """All layers together, in the countries of one part: (reasons, records relied on, first day it may not hold)."""
    bit = part & -part
    everywhere, embargo = track
    reasons = list(everywhere)
    if embargo & bit:
        reasons.append(Reason.of("EMBARGOED", detail=f"until {evidence.embargoed_until}"))
    relied: list[Judgement] = []
    days: list[date] = []
    works_clear = True
    for layer in layers:
        answer = layer.answer_at(bit)
        reasons += answer.reasons
        relied += answer.relied_on
        works_clear = works_clear and (layer.layer is Layer.RECORDING or not answer.reasons)
        if answer.until:
            days.append(answer.until)
    if evidence.materials:
        lacking, used = _derived(evidence, materials, relied, bit, works_clear=works_clear)
        reasons += lacking
        relied += used
        days += [until for each in used if (until := each.until_at(bit))]
    if unnamed and any(each.licence and each.licence.by for each in relied):
        reasons += unnamed
    if reasons:
        return _ranked(reasons), (), None
    return (), tuple(relied), min(days, default=None)


def _ranked(reasons: Collection[Reason]) -> tuple[Reason, ...]:
    return tuple(reasons if len(reasons) == 1 else sorted(set(reasons), key=lambda reason: reason.rank))


def _derived(
    evidence: Evidence, materials: Iterable[Judgement], relied: Sequence[Judgement], bit: int, *, works_clear: bool
) -> tuple[list[Reason], list[Judgement]]:
    """Each mark for other people's music needs a record of its own that passes: what is lacking, and what is used.

    A cover's own record is the licence of the work by somebody other than who licenses the recording; where the works
    are not clear anyway, that is said once and not twice.
    """
    lacking: list[Reason] = []
    used: list[Judgement] = []
    ours = {each.record.licensor for each in relied if each.record.layer == Layer.RECORDING}
    for mark in sorted(evidence.materials):
        passing = [each for each in materials if each.record.material == mark and not each.fails & bit]
        if passing:
            used.append(min(passing, key=lambda each: each.record.id))
            continue
        if mark == Material.COVER:
            theirs = [each for each in relied if each.record.layer == Layer.WORK and each.record.licensor not in ours]
            if theirs or not works_clear:
                continue
        lacking.append(Reason.of("DERIVED_MATERIAL_UNCLEARED", detail=str(mark)))
    return lacking, used


def _attribution(evidence: Evidence, question: Question) -> Sequence[Reason]:
    """What keeps the author from being named, where a licence that is relied on asks for it."""
    lacking = [
        name
        for name, there in (
            ("the title", bool(evidence.title.strip())),
            ("the author", any(creator.strip() for creator in evidence.creators)),
            ("a format that can carry it", question.carries_attribution),
        )
        if not there
    ]
    return [Reason.of("ATTRIBUTION_INCOMPLETE", detail=f"lacks {', '.join(lacking)}")] if lacking else []


def _groups(
    answers: Iterable[tuple[int, Outcome]],
) -> tuple[tuple[ClearedGroup, ...], tuple[RefusedGroup, ...], list[Judgement]]:
    cleared: list[tuple[int, tuple[date | None, tuple[str, ...]]]] = []
    refused: list[tuple[int, tuple[Reason, ...]]] = []
    used: dict[str, Judgement] = {}
    for part, (reasons, relied, until) in answers:
        if reasons:
            refused.append((part, reasons))
            continue
        used.update((each.record.id, each) for each in relied)
        cleared.append((part, (until, tuple(each.record.id for each in relied))))
    return (
        tuple(ClearedGroup(mask, until, records) for mask, (until, records) in merged(iter(cleared))),
        tuple(RefusedGroup(mask, reasons) for mask, reasons in merged(iter(refused))),
        sorted(used.values(), key=lambda each: (each.record.layer, each.record.subject, each.record.id)),
    )


def _reliance(record: Record) -> Reliance:
    approval = record.approval
    return Reliance(
        record=record.id,
        version=record.version,
        layer=record.layer,
        subject=record.subject,
        holder=record.licensor,
        holder_name=record.licensor_name,
        share=record.share,
        basis=record.basis,
        licensee=record.licensee,
        licence_url=record.licence_url,
        territories=str(record.territories),
        starts_on=record.starts_on.isoformat() if record.starts_on else "",
        ends_on=record.ends_on.isoformat() if record.ends_on else "",
        evidence=tuple(sorted([(item.kind, item.sha256) for item in record.evidence])),
        evidence_sha256=approval.evidence_sha256 if approval else "",
        sound_sha256=approval.sound_sha256 if approval else "",
        reviewer_independent=bool(approval and approval.independent),
    )


def _obligations(
    evidence: Evidence, question: Question, judged: Iterable[Judgement], used: Iterable[Judgement]
) -> Obligations:
    """The public licences that go along with a copy: those relied on, and one beside a private licence (CC+)."""
    relied = {each.record.id for each in used}
    duties: dict[tuple[str, str], LicenceDuty] = {}
    for each in judged:
        licence = each.licence
        if licence is None:
            continue
        beside = relied and {reason.code for reason in each.constant} == {"NC_FORBIDS_SALE"}
        if not (each.record.id in relied or beside):
            continue
        key = (each.record.layer, licence.url)
        on = each.record.id in relied or (key in duties and duties[key].relied_on)
        duties[key] = LicenceDuty(
            each.record.layer, licence.name, licence.url, licence.by, licence.sa, licence.no_drm, licence.nd, on,
            licence.duties,
        )  # fmt: skip
    ordered = tuple(duties[key] for key in sorted(duties))
    return Obligations(_attribution_line(evidence, ordered), ordered, changed=question.edited and bool(ordered))


def _attribution_line(evidence: Evidence, duties: Iterable[LicenceDuty]) -> str:
    licences = list(dict.fromkeys(f"{duty.name} ({duty.url})" for duty in duties))
    if not licences:
        return ""
    creators = ", ".join(creator for creator in evidence.creators if creator.strip())
    return f"“{evidence.title}” by {creators}, licensed under {' and '.join(licences)}"


def decide_release(
    release: str,
    question: Question,
    tracks: Sequence[tuple[str, Verdict]],
    *,
    notices: Iterable[NoticeFact] = (),
    embargoed_until: date | None = None,
) -> Verdict:
    """Whether a release sells whole: only where every track is cleared. `tracks` are (title, verdict) in order.

    Each track that is not names itself and its codes, so that one look says what is missing.
    """
    reasons = tuple(reason for notice in notices for reason in _notice_reasons(notice, question))
    masks = set()
    changes = [verdict.good_until for _title, verdict in tracks if verdict.good_until]
    embargo = 0
    if embargoed_until is not None:
        day = day_start(embargoed_until)
        embargo = ALL & ~day.begun_at(question.at)
        opens = day.next_after(question.at, ALL)
        changes += [opens] if opens else []
    masks.add(embargo)
    for _title, verdict in tracks:
        masks.update(group.countries for group in verdict.refused)
        masks.update(group.countries for group in verdict.cleared)
    early = (Reason.of("EMBARGOED", detail=f"until {embargoed_until}"),)
    answers = (
        (part, _release_outcome(part, tracks, (*reasons, *early) if part & embargo else reasons))
        for part in _parts(masks)
    )
    cleared, refused = [], []
    for part, (why_not, until, relied) in answers:
        if why_not:
            refused.append((part, why_not))
        else:
            cleared.append((part, (until, relied)))
    records = {each.record: each for _title, verdict in tracks for each in verdict.records}
    return Verdict(
        subject=f"release:{release}",
        question=question,
        engine=ENGINE,
        cleared=tuple(ClearedGroup(mask, until, relied) for mask, (until, relied) in merged(iter(cleared))),
        refused=tuple(RefusedGroup(mask, why_not) for mask, why_not in merged(iter(refused))),
        records=tuple(records[key] for key in sorted(records)) if cleared else (),
        obligations=_release_obligations(tracks),
        good_until=min(changes, default=None),
        warnings=tuple(dict.fromkeys(each for _title, verdict in tracks for each in verdict.warnings)),
    )


def _release_outcome(
    part: int, tracks: Sequence[tuple[str, Verdict]], reasons: tuple[Reason, ...]
) -> tuple[tuple[Reason, ...], date | None, tuple[str, ...]]:
    bit = part & -part
    why_not = list(reasons)
    if not tracks:
        why_not.append(Reason.of("RELEASE_INCOMPLETE", detail="it has no tracks"))
    days: list[date] = []
    relied: dict[str, None] = {}
    for title, verdict in tracks:
        group = next((group for group in verdict.cleared if group.countries & bit), None)
        if group is None:
            refused = next((group for group in verdict.refused if group.countries & bit), None)
            codes = ", ".join(dict.fromkeys(reason.code for reason in refused.reasons)) if refused else "never decided"
            why_not.append(Reason.of("RELEASE_INCOMPLETE", detail=f"{title}: {codes}"))
            continue
        relied.update(dict.fromkeys(group.relied_on))
        if group.until:
            days.append(group.until)
    if why_not:
        return _ranked(why_not), None, ()
    return (), min(days, default=None), tuple(relied)


def _release_obligations(tracks: Iterable[tuple[str, Verdict]]) -> Obligations:
    duties = {(duty.layer, duty.url): duty for _title, verdict in tracks for duty in verdict.obligations.licences}
    lines = [verdict.obligations.attribution for _title, verdict in tracks if verdict.obligations.attribution]
    changed = any(verdict.obligations.changed for _title, verdict in tracks)
    return Obligations("\n".join(dict.fromkeys(lines)), tuple(duties[key] for key in sorted(duties)), changed)
