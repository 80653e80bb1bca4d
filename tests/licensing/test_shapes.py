"""Deciding by shape says, byte for byte, what deciding plainly says."""

from dataclasses import replace
from fractions import Fraction
from operator import attrgetter
from random import Random

import pytest

from licensing import shapes
from licensing.records import Evidence, Question, Record, evidence_hash
from licensing.shapes import plain
from licensing.terms import Basis, RecordState, Use
from licensing.territories import TerritorySet
from tests.licensing import cases
from tests.licensing.cases import law, questions
from tests.licensing.facts import NOW, RECORDING, WORK, approved, ask, known, master, work

ODD_TEXTS = ["3", 'q"1', "é", "x:2", "~", "z" * 36, "a\\b", "A", "A, B", "A!", "B", "a tab\t", "\ue000", "0"]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_kept", {})


def in_force(luck: Random) -> Evidence:
    """As `cases.dossiers`, but mostly of what is shared: approved records that are no public licences."""
    found = cases.dossiers(luck)
    if cases.rarely(luck, 8):
        return found
    bases = [Basis.DIRECT, Basis.CMO, Basis.DDEX_DEAL, Basis.STATUTORY, Basis.CC_PLUS]
    records = []
    for number, record in enumerate(found.records):
        basis = luck.choice(bases) if record.basis == Basis.PUBLIC_LICENCE else record.basis
        whole = approved(replace(record, basis=basis, licence_url="", id=f"{record.id}{number}"))
        records.append(whole if not cases.rarely(luck, 20) else replace(whole, approval=record.approval))
    return replace(found, records=tuple(records), notices=(), materials=frozenset())


def renamed(evidence: Evidence, luck: Random) -> Evidence:
    """The same evidence about another recording: all ids, names and hashes are others, in the same order."""
    ids = others(luck, [record.id for record in evidence.records])
    called = others(luck, [record.licensor_name for record in evidence.records])
    held = others(luck, [record.licensor for record in evidence.records])
    place = luck.choice(["0fe2", "rec"]), luck.choice(["w0rk", "abcd"])

    def other(record: Record) -> Record:
        digest = luck.choice(["1" * 64, "2" * 64])
        items = tuple(
            replace(item, sha256=digest, current_sha256=digest if item.current_sha256 == item.sha256 else "")
            for item in record.evidence
        )
        approval = record.approval
        if approval is not None and approval.evidence_sha256 == record.evidence_sha256:
            approval = replace(approval, evidence_sha256=evidence_hash([item.sha256 for item in items]))
        subject = {RECORDING: place[0], WORK: place[1]}.get(record.subject, record.subject)
        return replace(
            record,
            id=ids[record.id],
            subject=subject,
            licensor=held[record.licensor],
            licensor_name=called[record.licensor_name],
            evidence=items,
            approval=approval,
        )

    return replace(
        evidence,
        recording=place[0],
        works=tuple(place[1] if work == WORK else work for work in evidence.works),
        records=tuple(other(record) for record in luck.sample(evidence.records, len(evidence.records))),
        title="Another",
        creators=("Zed",),
    )


def others(luck: Random, texts: list[str]) -> dict[str, str]:
    """Another text for each, in the same order."""
    known = sorted(set(texts))
    return dict(zip(known, sorted(luck.sample(ODD_TEXTS, len(known))), strict=True))


def by_shape(question: Question, evidence: Evidence) -> shapes.Timed:
    return shapes.decide(question, evidence, shapes.shape(evidence, question.sound_sha256))


def seeds(luck: Random) -> int:
    return luck.getrandbits(32)


def compared(question: Question, evidence: Evidence, seed: int) -> int:
    """Decide a recording and a few that differ from it in texts alone; how many were told and not decided."""
    shapes._kept.clear()
    assert by_shape(question, evidence) == plain(question, evidence)
    told = 0
    for luck in (Random(seed), Random(seed + 1)):
        another = renamed(evidence, luck)
        found = shapes.shape(another, question.sound_sha256)
        told += bool(found and shapes._kept.get((shapes._ASKED(question), found.key)))
        assert shapes.decide(question, another, found) == plain(question, another)
    return told


@law(questions, in_force, seeds)
def test_what_is_told_by_shape_is_what_would_be_decided(question: Question, evidence: Evidence, seed: int) -> None:
    compared(question, evidence, seed)


@law(questions, cases.dossiers, seeds)
def test_that_holds_for_evidence_of_every_kind(question: Question, evidence: Evidence, seed: int) -> None:
    compared(question, evidence, seed)


def test_most_of_what_is_in_force_is_told_and_not_decided():
    luck = Random(7)
    told = sum(compared(questions(luck), in_force(luck), seeds(luck)) for _ in range(200))
    assert told > 200


def two_layers() -> Evidence:
    return known(master(territories=TerritorySet.only("DE", "US")), work())


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("territories", TerritorySet.only("DE")),
        ("share", Fraction(1, 2)),
        ("ends_on", NOW.date()),
        ("state", RecordState.REVOKED),
        ("uses", frozenset()),
        ("version", 2),
    ],
)
def test_a_term_left_out_of_the_shape_is_found_out(monkeypatch, term, value):
    """The control: the laws above would not hold if the shape forgot what the rules look at."""
    first = two_layers()
    other = replace(first, records=(replace(first.records[0], **{term: value}), first.records[1]))
    assert by_shape(ask(), first) == plain(ask(), first)
    assert by_shape(ask(), other) == plain(ask(), other)
    kept = [name for name in Record.__dataclass_fields__ if name not in {*shapes._PUT_BACK, term}]
    monkeypatch.setattr(shapes, "_LOOKED_AT", attrgetter(*kept))
    shapes._kept.clear()
    by_shape(ask(), first)
    assert by_shape(ask(), other) != plain(ask(), other)


def test_a_wrong_first_answer_is_never_told_again(monkeypatch):
    """The first of each shape is compared with the plain answer: with a form that says otherwise nothing is shared."""
    monkeypatch.setattr(shapes._Form, "_put_back", lambda form, _question, _table: form.found.verdict)
    for _ in range(3):
        assert by_shape(ask(), two_layers()) == plain(ask(), two_layers())
    assert list(shapes._kept.values()) == [None]


def test_a_field_that_records_get_later_is_part_of_their_shape():
    looked_at = shapes._LOOKED_AT(master())
    assert len(looked_at) + len(shapes._PUT_BACK) == len(Record.__dataclass_fields__)


def test_kept_shapes_do_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(shapes, "MOST_KEPT", 3)
    for use in (*Use, Use.PREVIEW):
        by_shape(ask(use), two_layers())
    assert len(shapes._kept) <= 3
