"""Recordings that differ in nothing but names and numbers are decided once, and the answer is told of each. Pure.

The rules compare ids, names and hashes with each other, order them and repeat them; they read nothing into them. So the
evidence about a recording is reduced to its shape: each such text gives way to a token that stands in the same order
among its like, and all else stays as it is. Shapes that are equal have equal answers but for the texts, which are put
back. Where a text could mean more than itself (public licences, which name titles and authors; notices; conflicting
claims, whose names are strung together) nothing is shared. The first answer of each shape is compared, byte for byte,
with the plain one, and where they differ the shape is never shared.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, NamedTuple

from licensing import rules
from licensing.records import Evidence, Question, Record, evidence_hash
from licensing.terms import Basis, Layer, ReviewOutcome
from licensing.verdicts import ClearedGroup, Reason, RefusedGroup, Reliance, Verdict

MOST_KEPT = 4096

# No text on record holds a token, because nobody could know the number beforehand.
_NONCE = secrets.token_hex(6)


class Timed(NamedTuple):
    """A verdict with its bytes, and what it comes to once its time has run out and nobody has asked again."""

    verdict: Verdict
    data: bytes
    lasting: int = 0
    lasting_until: datetime | None = None


def plain(question: Question, evidence: Evidence) -> Timed:
    """The engine's answer, and by a second question how it goes on after its first change."""
    verdict = rules.decide(question, evidence)
    if verdict.good_until is None or not verdict.cleared:
        return Timed(verdict, verdict.to_json())
    after = rules.decide(replace(question, at=verdict.good_until), evidence)
    return Timed(verdict, verdict.to_json(), verdict.cleared_mask & after.cleared_mask, after.good_until)


class Shape(NamedTuple):
    """What the rules look at (`key`), and the texts they only compare and repeat (`texts`)."""

    key: tuple[Any, ...]
    texts: tuple[str, ...]


_PUT_BACK = {"id", "subject", "licensor", "licensor_name", "evidence", "approval"}
_LOOKED_AT: Callable[[Record], tuple[Any, ...]] = attrgetter(
    *(field.name for field in fields(Record) if field.name not in _PUT_BACK)
)
_ASKED: Callable[[Question], tuple[Any, ...]] = attrgetter(
    *(field.name for field in fields(Question) if field.name != "sound_sha256")
)
_PLAIN_ID = re.compile(r"[\w-]+").fullmatch
_PUBLIC, _APPROVED = Basis.PUBLIC_LICENCE.value, ReviewOutcome.APPROVED.value
_RECORDING, _WORK = Layer.RECORDING.value, Layer.WORK.value
_LAYERS = frozenset(Layer)


def shape(evidence: Evidence, sound: str) -> Shape | None:
    """The shape of what is known about a recording with this sound; None where it is not for sharing."""
    works, subjects = _ranks(evidence.works)
    if evidence.notices or not sound or not _are_alike(works, evidence.recording):
        return None
    records = sorted(evidence.records, key=_order)
    ids, id_ranks = _ranks([record.id for record in records])
    if len(ids) < len(records) or not all(_is_plain(record, subjects, evidence.recording) for record in records):
        return None
    licensors, licensor_ranks = _ranks([record.licensor for record in records])
    names, name_ranks = _ranks([record.licensor_name for record in records])
    texts = [sound, evidence.recording, *works, *ids, *licensors, *names]
    seen = []
    for record in records:
        approval = record.approval
        assert approval is not None  # noqa: S101 - else it is not plain
        heard = approval.sound_sha256
        texts += [*[item.sha256 for item in record.evidence], approval.evidence_sha256, heard]
        seen.append((
            _LOOKED_AT(record), subjects.get(record.subject), id_ranks[record.id], licensor_ranks[record.licensor],
            name_ranks[record.licensor_name], tuple([item.kind for item in record.evidence]),
            "" if not heard else "same" if heard == sound else "other", approval.second_needed, approval.seconded,
        ))  # fmt: skip
    key = (
        len(works), tuple(seen), evidence.materials, evidence.embargoed_until,
        evidence.identifier_conflict, evidence.identifier_warning,
    )  # fmt: skip
    return Shape(key, tuple(texts))


def _are_alike(works: Sequence[str], recording: str) -> bool:
    """Whether works' ids keep their order within a sentence too: words of one length, and no recording's."""
    return all(len(work) == len(works[0]) and work != recording and bool(_PLAIN_ID(work)) for work in works)


def _is_plain(record: Record, works: Mapping[str, int], recording: str) -> bool:
    """Whether a record is one of those whose texts mean nothing: approved, whole, named, and no public licence."""
    approval = record.approval
    if approval is None or approval.outcome != _APPROVED or not approval.independent or not record.evidence:
        return False
    if record.basis == _PUBLIC or record.material or not record.licensor_name:
        return False
    if not (record.subject in works if record.layer == _WORK else record.subject == recording):
        return False
    hashes = [item.sha256 for item in record.evidence]
    if len(hashes) > 1 and len({item.kind for item in record.evidence}) < len(hashes):
        return False
    same = [item.current_sha256 for item in record.evidence] == hashes
    return same and record.layer in _LAYERS and approval.evidence_sha256 == evidence_hash(hashes)


def _order(record: Record) -> tuple[str, str, str]:
    return (record.layer, record.subject, record.id)


def _ranks(texts: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """The different texts in order, and the place of each."""
    known = sorted(set(texts))
    return known, {text: place for place, text in enumerate(known)}


def decide(question: Question, evidence: Evidence, shaped: Shape | None) -> Timed:
    """As `plain`, and the same bytes; with a shape that was answered before, without asking the rules again."""
    if shaped is None:
        return plain(question, evidence)
    key = (_ASKED(question), shaped.key)
    known = _kept.get(key, _UNKNOWN)
    if known is not _UNKNOWN:
        return known.told(question, shaped.texts) if known else plain(question, evidence)
    found = plain(question, evidence)
    form = _form(question, evidence, shaped)
    if form is not None and form.told(question, shaped.texts) != found:
        form = None
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[key] = form
    return found


class _Form:
    """An answer with tokens where the texts go."""

    def __init__(self, found: Timed, tokens: Sequence[str]) -> None:
        self.found = found
        self.tokens = tokens
        places = {token: place for place, token in enumerate(tokens)}
        self._any = re.compile("|".join(map(re.escape, places)))
        parts = re.split(f"({self._any.pattern})", found.data.decode())
        self._parts = parts
        self._places = [places[token] for token in parts[1::2]]
        self._verdict = found.verdict

    def told(self, question: Question, texts: Sequence[str]) -> Timed:
        """The answer with these texts in the tokens' places."""
        escaped = [encode_basestring(text)[1:-1] for text in texts]
        parts = self._parts.copy()
        parts[1::2] = [escaped[place] for place in self._places]
        verdict = self._put_back(question, dict(zip(self.tokens, texts, strict=True)))
        return Timed(verdict, "".join(parts).encode(), self.found.lasting, self.found.lasting_until)

    def _put_back(self, question: Question, table: Mapping[str, str]) -> Verdict:
        form = self._verdict

        def text(token: str) -> str:
            found = table.get(token)
            if found is not None or _NONCE not in token:
                return token if found is None else found
            return self._any.sub(lambda match: table[match[0]], token)

        return Verdict(
            subject=text(form.subject),
            question=question,
            engine=form.engine,
            cleared=tuple([
                ClearedGroup(group.countries, group.until, tuple([table[each] for each in group.relied_on]))
                for group in form.cleared
            ]),
            refused=tuple([
                RefusedGroup(
                    group.countries,
                    tuple([
                        Reason(
                            each.code, each.scope, each.layer, text(each.record), text(each.share_holder),
                            text(each.detail), each.who_can_fix,
                        )
                        for each in group.reasons
                    ]),
                )
                for group in form.refused
            ]),
            records=tuple([
                Reliance(
                    table[each.record], each.version, each.layer, table[each.subject], table[each.holder],
                    table[each.holder_name], each.share, each.basis, each.licensee, each.licence_url,
                    each.territories, each.starts_on, each.ends_on,
                    tuple([(kind, table[sha256]) for kind, sha256 in each.evidence]),
                    table[each.evidence_sha256], table.get(each.sound_sha256, each.sound_sha256),
                    each.reviewer_independent,
                )
                for each in form.records
            ]),
            obligations=form.obligations,
            good_until=form.good_until,
            tables=form.tables,
            warnings=form.warnings,
        )  # fmt: skip


_UNKNOWN: Any = object()
_kept: dict[tuple[Any, ...], _Form | None] = {}


def _form(question: Question, evidence: Evidence, shaped: Shape) -> _Form | None:
    """The answer about the shape itself; None where names are strung together, which can change their order."""
    tokens: list[str] = []

    def tokens_of(kind: str, texts: Sequence[str]) -> dict[str, str]:
        made = {text: f"~{_NONCE}{kind}{rank:04}~" for rank, text in enumerate(sorted(set(texts)))}
        tokens.extend(made.values())
        return made

    sound = tokens_of("s", [evidence_sound := shaped.texts[0]])[evidence_sound]
    recording = tokens_of("r", [evidence.recording])[evidence.recording]
    works = tokens_of("w", evidence.works)
    records = sorted(evidence.records, key=_order)
    ids = tokens_of("i", [record.id for record in records])
    licensors = tokens_of("l", [record.licensor for record in records])
    names = tokens_of("n", [record.licensor_name for record in records])
    formed = []
    for number, record in enumerate(records):
        approval = record.approval
        assert approval is not None  # noqa: S101 - else it had no shape
        items = []
        for place, item in enumerate(record.evidence):
            token = f"~{_NONCE}e{number:04}.{place:04}~"
            tokens.append(token)
            items.append(replace(item, sha256=token, current_sha256=token))
        whole, heard = evidence_hash([item.sha256 for item in items]), f"~{_NONCE}h{number:04}~"
        tokens += [whole, heard]
        same = {"": "", shaped.texts[0]: sound}
        formed.append(
            replace(
                record,
                id=ids[record.id],
                subject=recording if record.layer == _RECORDING else works[record.subject],
                licensor=licensors[record.licensor],
                licensor_name=names[record.licensor_name],
                evidence=tuple(items),
                approval=replace(
                    approval, evidence_sha256=whole, sound_sha256=same.get(approval.sound_sha256, heard), reviewer=""
                ),
            )
        )
    found = plain(
        replace(question, sound_sha256=sound),
        replace(
            evidence, recording=recording, works=tuple(works.values()), records=tuple(formed),
            title="", creators=(), memberships=(),
        ),
    )  # fmt: skip
    codes = {reason.code for group in found.verdict.refused for reason in group.reasons}
    return None if "CONFLICTING_CLAIM" in codes else _Form(found, tokens)
