"""Records for whole catalogues: spelled out when asked, held back while they are taken back, decided in batches."""

from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import SocietyMembership, WorkShare
from licensing import affected, batches, clearance, dossiers, grants, notices, reclearing, reviews
from licensing.errors import GrantRefused
from licensing.models import ClearanceDecision, Reclearance
from licensing.terms import Basis, EvidenceKind, Layer, Use
from licensing.territories import TerritorySet
from licensing.verdicts import Verdict
from tests.factories.catalog import make_label, make_party, make_recording, make_release, make_track
from tests.factories.licensing import NOW, RITA, SOUND, make_approved, make_evidence, make_holder, make_wide

pytestmark = pytest.mark.django_db
SALE = Use.PERMANENT_DOWNLOAD
SAM = reviews.Reviewer("user:sam")


def wide(catalogue, *, layer=Layer.RECORDING, basis=Basis.DIRECT, approve=True, **over):
    """A record for the whole catalogue of a party, given by that party itself."""
    grant = make_wide(catalogue, layer=layer, basis=basis, **over)
    for reviewer in (RITA, SAM) if approve else ():
        if not grant.reviews.filter(second_needed=False).exists():
            reviews.approve(grant, reviewer=reviewer, sound_sha256=SOUND, at=NOW)
    return grant


def wrote(party, work, share=Fraction(1)):
    return WorkShare.objects.create(
        work=work, party=party, role="CA",
        mechanical_numerator=share.numerator, mechanical_denominator=share.denominator,
    )  # fmt: skip


def joins(party, society, **over):
    return SocietyMembership.objects.create(party=party, society=society, right="MECHANICAL", **over)


@pytest.fixture
def label():
    return make_label("Bob's Records")


@pytest.fixture
def recording(label):
    """A recording of Bob's label, on a release, of a work that Cleo wrote, who is a member of the society."""
    found = make_recording("Elan", label=label)
    make_track(make_release(label=label), found)
    return found


@pytest.fixture
def cleo(recording):
    cleo = make_party("Cleo")
    wrote(cleo, recording.works.get())
    return cleo


@pytest.fixture
def society(cleo):
    society = make_label("Society")
    joins(cleo, society)
    return society


def clear(recording, **over):
    return clearance.clear(recording, **{"use": SALE, "at": NOW, "actor": "t", "sound_sha256": SOUND, **over})


def codes(recording, country="DE"):
    return Verdict.from_data(clearance.latest(recording, SALE).verdict).codes_in(country)


def licence_both(label, society, **over):
    return wide(label, **over), wide(society, layer=Layer.WORK, basis=Basis.CMO, cmo_mandate_proven=True, **over)


def claimed(*, at: datetime) -> Reclearance:
    job = reclearing.claim(at=at)
    assert job is not None
    return job


def work_off(*, size=reclearing.BATCH, sounds=None):
    while (job := reclearing.claim(at=timezone.now())) is not None:
        while not reclearing.work(job, at=NOW, sounds=sounds, size=size).finished:
            pass


def test_a_labels_and_a_societys_catalogue_clear_a_recording_together(recording, label, society):
    licence_both(label, society)
    decision = clear(recording)
    assert len(decision.cleared_countries) == 249
    shares = Verdict.from_data(decision.verdict).shares_in("DE")
    assert {(share.layer, share.holder_name, share.share) for share in shares} == {
        ("RECORDING", "Bob's Records", Fraction(1)),
        ("WORK", "Society", Fraction(1)),
    }


def test_what_joins_the_catalogue_later_is_covered_as_well(label, society, cleo):
    licence_both(label, society)
    newcomer = make_recording(label=label)
    wrote(cleo, newcomer.works.get())
    assert clear(newcomer).cleared_countries


def test_another_labels_recording_is_not_covered(label, society, cleo):
    licence_both(label, society)
    stranger = make_recording()
    wrote(cleo, stranger.works.get())
    clear(stranger)
    assert codes(stranger) == ["NO_MASTER_LICENCE"]


def test_a_work_without_a_member_is_not_in_the_repertoire(label, society):
    licence_both(label, society)
    other = make_recording(label=label)
    clear(other)
    assert codes(other) == ["NO_WORK_LICENCE"]


def test_a_society_licenses_the_part_its_members_hold(recording, label):
    cleo, dora, society = make_party("Cleo"), make_party("Dora"), make_label("Society")
    work = recording.works.get()
    wrote(cleo, work, Fraction(1, 2))
    wrote(dora, work, Fraction(1, 2))
    joins(cleo, society)
    licence_both(label, society)
    clear(recording)
    assert codes(recording) == ["SHARES_NOT_100"]
    make_approved(work, holder=make_holder(dora), share=Fraction(1, 2))
    assert clear(recording).cleared_countries


def test_members_mandates_for_different_countries_add_up_where_they_meet(recording, label):
    cleo, dora, society = make_party("Cleo"), make_party("Dora"), make_label("Society")
    for party, territories in ((cleo, ["AT", "DE"]), (dora, ["CH", "DE"])):
        wrote(party, recording.works.get(), Fraction(1, 2))
        joins(party, society, territory_mode="ONLY", territories=territories)
    licence_both(label, society)
    assert clear(recording).cleared_countries == ["DE"]


def test_a_member_who_kept_online_rights_is_not_licensed_by_the_society(recording, label, society):
    SocietyMembership.objects.update(online_excluded=True)
    licence_both(label, society)
    clear(recording)
    assert codes(recording) == ["NO_WORK_LICENCE"]


def test_a_mandate_that_ends_ends_the_clearance(recording, label, society):
    SocietyMembership.objects.update(left_on=date(2026, 3, 31))
    licence_both(label, society)
    decision = clear(recording)
    assert clearance.is_cleared(decision, "DE", NOW)
    assert decision.good_until.date() == date(2026, 3, 31)
    assert not clear(recording, at=NOW + timedelta(days=30)).cleared_countries


def test_a_publishers_own_catalogue_counts_by_its_own_shares(recording, label):
    publisher = make_label("Publisher")
    wrote(publisher, recording.works.get())
    wide(label)
    wide(publisher, layer=Layer.WORK)
    assert clear(recording).cleared_countries


def test_two_works_of_one_catalogue_are_two_rights(label):
    medley, publisher = make_recording(label=label, works=2), make_label("Publisher")
    for work in medley.works.all():
        wrote(publisher, work)
    wide(label)
    wide(publisher, layer=Layer.WORK)
    verdict = Verdict.from_data(clear(medley).verdict)
    assert len({share.subject for share in verdict.shares_in("DE") if share.layer == "WORK"}) == 2


@pytest.mark.parametrize("subjects", [0, 2])
def test_a_record_is_about_exactly_one_thing(label, subjects):
    over = {"subject": make_recording(label=label), "catalogue": label} if subjects else {}
    with pytest.raises(GrantRefused):
        grants.record_grant(
            make_holder(label), layer=Layer.RECORDING, basis=Basis.DIRECT, evidence=[], actor="user:bob", **over
        )


def test_the_labels_own_people_do_not_review_its_catalogue(label):
    assert wide(label, approve=False).submitted_for == label


def test_reading_costs_as_many_statements_for_twenty_recordings_as_for_two(label, society, cleo):
    licence_both(label, society)
    made = [make_recording(label=label) for _ in range(20)]
    for recording in made:
        wrote(cleo, recording.works.get())
    counts = []
    for some in (made[:2], made):
        with CaptureQueriesContext(connection) as captured:
            dossiers.load([recording.pk for recording in some], at=NOW)
        counts.append(len(captured))
    assert counts[0] == counts[1]


# -- Taken back --------------------------------------------------------------------------------------------------------


@pytest.fixture
def owed(monkeypatch):
    """Every catalogue is too large for one request."""
    monkeypatch.setattr(affected, "AT_ONCE", 0)


def test_a_small_catalogue_is_refused_in_the_act_itself(recording, label, society):
    grant, _ = licence_both(label, society)
    clear(recording)
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    assert codes(recording) == ["REVOKED"]


def test_a_large_catalogue_is_held_back_until_it_is_decided(recording, label, society, owed):
    grant, _ = licence_both(label, society)
    decision = clear(recording)
    work_off()
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)

    assert clearance.latest(recording, SALE) == decision
    assert held_now() & set(decision.hangs_on)
    work_off()
    assert not held_now()
    assert codes(recording) == ["REVOKED"]


def test_a_decision_that_rests_on_other_records_is_not_held_back(recording, label, society, owed):
    grant = wide(label, ends_on=date(2030, 1, 1))
    other = make_recording(label=label)
    agreement = make_evidence(EvidenceKind.AGREEMENT, text="For this one, without end.")
    for subject in (other, other.works.get()):
        make_approved(subject, holder=make_holder(label), basis=Basis.DIRECT, licence_url="", evidence=[agreement])
    assert clear(other).cleared_countries
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    assert grant.pk not in clearance.latest(other, SALE).hangs_on


def test_a_notice_about_a_large_label_holds_back_all_of_it(recording, label, society, owed):
    licence_both(label, society)
    decision = clear(recording)
    notices.take_down(label, claimant="C", statement="S", actor="t", at=NOW)
    assert held_now() & set(decision.hangs_on) == {-label.pk}
    work_off()
    assert codes(recording) == ["TAKEN_DOWN"]


def test_giving_a_right_holds_nothing_back(recording, label, society, owed):
    licence_both(label, society)
    assert not held_now()


def test_a_new_version_holds_back_what_relied_on_the_old_one(recording, label, society, owed):
    grant, _ = licence_both(label, society)
    decision = clear(recording)
    work_off()
    grants.new_version(grant, actor="user:bob", at=NOW, territories_set=TerritorySet.only("FR"))
    assert grant.pk in held_now() & set(decision.hangs_on)


def test_a_changed_mandate_owes_a_decision_about_its_works(recording, label, society, cleo):
    licence_both(label, society)
    work_off()
    SocietyMembership.objects.update(left_on=date(2030, 1, 1))
    owed = Reclearance.objects.get(done_at=None)
    assert (owed.writer, owed.closes) == (cleo, False)
    assert list(reclearing.recordings_of(owed)) == [recording]


def held_now():
    with connection.cursor() as cursor:
        cursor.execute("SELECT licensing_held()")
        return set(cursor.fetchone()[0])


# -- In batches --------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(label, society, cleo):
    """Seven recordings of a cleared catalogue, all decided."""
    grant, _ = licence_both(label, society)
    made = []
    release = make_release(label=label)
    for number in range(1, 8):
        recording = make_recording(label=label)
        wrote(cleo, recording.works.get())
        make_track(release, recording, number=number)
        made.append(recording)
        clear(recording)
    clearance.clear_release(release, use=SALE, at=NOW, actor="t", sounds={recording.pk: SOUND for recording in made})
    Reclearance.objects.update(done_at=NOW)
    return grant, made, release


def refused(recordings):
    return [not clearance.latest(recording, SALE).cleared_countries for recording in recordings]


def test_a_job_goes_on_where_a_dead_worker_left_it(many, owed):
    grant, made, _ = many
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    job = claimed(at=NOW)
    reclearing.work(job, at=NOW, size=3)
    assert refused(made) == [True] * 2 + [False] * 5  # the third is the recording that was there before
    assert reclearing.claim(at=NOW) is None

    later = NOW + reclearing.CLAIM_FOR
    again = claimed(at=later)
    assert (again.pk, again.cursor) == (job.pk, made[1].pk)
    while not reclearing.work(again, at=later, size=3).finished:
        pass
    assert all(refused(made))


def test_a_worker_that_was_thought_dead_writes_nothing(many, owed):
    grant, made, _ = many
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    slow = claimed(at=NOW)
    reclearing.claim(at=NOW + reclearing.CLAIM_FOR)
    assert reclearing.work(slow, at=NOW, size=3).finished
    assert refused(made) == [False] * 7


def test_without_the_fence_it_would_write_after_the_other(many, owed, monkeypatch):
    grant, made, _ = many
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    slow = claimed(at=NOW)
    reclearing.claim(at=NOW + reclearing.CLAIM_FOR)
    monkeypatch.setattr(reclearing, "_still_ours", lambda *_args, **_over: True)
    reclearing.work(slow, at=NOW, size=3)
    assert refused(made) == [True] * 2 + [False] * 5


def test_a_batch_that_fails_is_done_again_whole(many, owed, monkeypatch):
    grant, made, _ = many
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    job = claimed(at=NOW)
    monkeypatch.setattr(batches, "write", lambda _rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reclearing.work(job, at=NOW, size=3)
    monkeypatch.undo()
    assert Reclearance.objects.get(pk=job.pk).cursor == 0
    assert refused(made) == [False] * 7


def test_two_workers_share_a_large_job_and_leave_nothing_out(many, owed, monkeypatch):
    grant, made, _ = many
    monkeypatch.setattr(reclearing, "SHARED_ABOVE", 3)
    monkeypatch.setattr(reclearing, "STRIPE", 2)
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    first, second = claimed(at=NOW), claimed(at=NOW)
    assert {first.part, second.part} == {0, 1}
    for job in (second, first):
        while not reclearing.work(job, at=NOW, size=2).finished:
            pass
    assert all(refused(made))
    assert not held_now()


def test_a_release_is_refused_with_its_recordings(many, owed):
    grant, _, release = many
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    work_off(size=2)
    assert clearance.latest(release, SALE).cleared_countries == []


def test_many_decided_together_say_what_each_says_alone(many, label):
    _, made, _ = many
    together = dict(ClearanceDecision.objects.filter(recording__in=made).values_list("recording", "answer_sha256"))
    known = dossiers.open_all([recording.pk for recording in made], at=NOW)
    sounds = {recording.pk: SOUND for recording in made}
    rows, answers = batches.decide_recordings(sounds, known, use=SALE, at=NOW, actor="t")
    assert rows == []
    assert {key: found.verdict.answer_sha256 for key, found in answers.items()} == together


def test_a_copied_decision_reads_back_as_a_created_one(recording, label, society):
    licence_both(label, society)
    known = dossiers.open_all([recording.pk], at=NOW)
    (row,), _ = batches.decide_recordings({recording.pk: SOUND}, known, use=SALE, at=NOW, actor="tab\tand\\slash")
    batches.write([row])
    copied = ClearanceDecision.objects.get()
    assert Verdict.from_data(copied.verdict).sha256 == copied.verdict_sha256 == row.verdict_sha256
    assert (copied.actor, len(copied.cleared_countries), copied.at) == ("tab\tand\\slash", 249, NOW)


def test_everything_can_be_decided_from_nothing(label, society, recording):
    licence_both(label, society)
    Reclearance.objects.update(done_at=NOW)
    reclearing.owe_everything(cause="first time", parts=2)
    work_off(sounds=lambda keys: dict.fromkeys(keys, SOUND))
    assert clearance.latest(recording, SALE).cleared_countries
    assert clearance.latest(recording, Use.PREVIEW).cleared_countries


# -- One sound, two labels ---------------------------------------------------------------------------------------------


def test_the_same_sound_under_two_labels_identifiers_stops_the_newcomer():
    first, second = make_recording(isrc="DEA122400001"), make_recording(isrc="DEA122400002")
    for recording in (first, second):
        holder = make_holder(recording.label)
        make_approved(recording, holder=holder)
        make_approved(recording.works.get(), holder=holder)
        clear(recording)
    assert codes(first) == []
    assert codes(second) == ["IDENTIFIER_SUSPECT"]


def test_a_second_reviewer_is_read_from_the_reviews(label):
    recording = make_recording(label=label)
    grant = make_approved(recording)

    def reviews_of():
        return dossiers.load([recording.pk], at=NOW)[recording.pk].records[0].approval

    assert not reviews_of().seconded
    grant.reviews.create(
        outcome="APPROVED", reviewer="user:sam", at=NOW, evidence_sha256=reviews_of().evidence_sha256,
        sound_sha256=SOUND,
    )  # fmt: skip
    assert reviews_of().seconded
