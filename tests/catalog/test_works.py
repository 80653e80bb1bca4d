"""Who wrote and publishes a work, in which shares, and what a society holds of it."""

from datetime import date
from fractions import Fraction

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from catalog import works
from catalog.errors import CodeError, MembershipRefused, ShareRefused
from catalog.models import Party, SocietyRight, WorkRole, WorkShare
from catalog.works import Line
from tests.factories.catalog import make_party, make_recording, make_work

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


@pytest.fixture
def cast(db):
    return {name: make_party(name) for name in ("Ana", "Ben", "Verlag")}


def stated(work):
    return [(share.party.name, share.role, share.mechanical) for share in works.shares_of([work.pk])[work.pk]]


def test_shares_are_kept_exactly(cast):
    work = make_work()
    works.state_shares(
        work, [Line(cast["Ana"], WorkRole.COMPOSER, THIRD), Line(cast["Ben"], WorkRole.AUTHOR, 2 * THIRD)]
    )
    assert stated(work) == [("Ana", "C", THIRD), ("Ben", "A", 2 * THIRD)]


def test_stating_shares_again_replaces_what_was_stated(cast):
    work = make_work()
    works.state_shares(work, [Line(cast["Ana"], WorkRole.COMPOSER, Fraction(1))])
    works.state_shares(work, [Line(cast["Ben"], WorkRole.COMPOSER, Fraction(1))])
    assert stated(work) == [("Ben", "C", Fraction(1))]


def line_of(party: Party, role: WorkRole, right: str, share: Fraction) -> Line:
    return Line(party, role, mechanical=share) if right == "mechanical" else Line(party, role, performing=share)


@pytest.mark.parametrize("right", ["mechanical", "performing"])
def test_more_than_the_whole_is_refused_and_nothing_changes(cast, right):
    work = make_work()
    works.state_shares(work, [Line(cast["Ana"], WorkRole.COMPOSER, Fraction(1))])
    too_much = [
        line_of(cast["Ana"], WorkRole.COMPOSER, right, HALF),
        line_of(cast["Ben"], WorkRole.AUTHOR, right, HALF + Fraction(1, 10**9)),
    ]
    with pytest.raises(ShareRefused, match=right):
        works.state_shares(work, too_much)
    assert stated(work) == [("Ana", "C", Fraction(1))]


@pytest.mark.parametrize(
    "lines",
    [
        lambda cast: [Line(cast["Ana"], "X")],
        lambda cast: [Line(cast["Ana"], "C"), Line(cast["Ana"], "C")],
        lambda cast: [Line(cast["Ana"], "C", Fraction(-1, 2))],
        lambda cast: [Line(cast["Ana"], "C", published_by=cast["Verlag"])],
        lambda cast: [Line(cast["Verlag"], "E", published_by=cast["Verlag"])],
    ],
    ids=["role", "twice", "negative", "no such publisher", "publisher of a publisher"],
)
def test_lines_that_contradict_are_refused(cast, lines):
    with pytest.raises(ShareRefused):
        works.state_shares(make_work(), lines(cast))


def test_the_database_refuses_a_share_over_the_whole_by_itself(cast):
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkShare.objects.create(work=make_work(), party=cast["Ana"], role="C", mechanical_numerator=2)


def test_codes_are_checked_and_kept_bare(cast):
    work = works.name_work(make_work(), iswc="T-034.524.680-1")
    assert work.iswc == "T0345246801"
    assert works.name_party(cast["Ana"], ipi="00052210040").ipi == "00052210040"
    with pytest.raises(CodeError):
        works.name_party(cast["Ana"], ipi="00052210041")
    with pytest.raises(ShareRefused):
        works.name_work(make_work(), iswc="T-034.524.680-1")


def test_one_right_is_with_one_society_at_one_time(cast):
    gema, prs = make_party("GEMA"), make_party("PRS")
    works.join_society(cast["Ana"], society=gema, joined_on=date(2000, 1, 1), left_on=date(2020, 12, 31))
    with pytest.raises(MembershipRefused, match="GEMA"):
        works.join_society(cast["Ana"], society=prs, joined_on=date(2020, 12, 31))
    works.join_society(cast["Ana"], society=prs, joined_on=date(2021, 1, 1))
    works.join_society(cast["Ana"], society=gema, right=SocietyRight.PERFORMING)


def test_one_right_may_be_with_two_societies_in_different_countries(cast):
    gema, prs = make_party("GEMA"), make_party("PRS")
    works.join_society(cast["Ana"], society=gema, territory_mode="ONLY", territories=["de", "AT"])
    works.join_society(cast["Ana"], society=prs, territories=["AT", "DE"])
    with pytest.raises(MembershipRefused):
        works.join_society(cast["Ana"], society=prs, territory_mode="ONLY", territories=["FR", "DE"])


@pytest.mark.parametrize(
    "over",
    [
        {"right": "SYNC"},
        {"territory_mode": "ONLY"},
        {"territory_mode": "SOME"},
        {"joined_on": date(2020, 1, 2), "left_on": date(2020, 1, 1)},
    ],
)
def test_a_mandate_that_cannot_be_is_refused(cast, over):
    with pytest.raises(MembershipRefused):
        works.join_society(cast["Ana"], society=make_party("GEMA"), **over)


def test_a_registration_has_what_cwr_asks_for(cast):
    work = make_work("Elan")
    recording = make_recording("Elan", isrc="DEA122400001")
    recording.works.set([work])
    gema = make_party("GEMA")
    works.join_society(cast["Ana"], society=gema, joined_on=date(2001, 1, 1))
    works.join_society(cast["Ana"], society=gema, right=SocietyRight.PERFORMING, left_on=date(2010, 1, 1))
    works.state_shares(
        work,
        [
            Line(cast["Ana"], WorkRole.COMPOSER, THIRD, HALF, published_by=cast["Verlag"]),
            Line(cast["Ben"], WorkRole.AUTHOR, THIRD, HALF),
            Line(cast["Verlag"], WorkRole.PUBLISHER, THIRD),
        ],
    )
    found = works.registration(work, on=date(2026, 3, 10))
    ana, ben = found.writers
    assert (ana.sequence, ana.mechanical_society, ana.performing_society, ana.published_by) == (1, "GEMA", "", 1)
    assert (ben.sequence, ben.role, ben.published_by) == (2, "A", 0)
    assert [line.name for line in found.publishers] == ["Verlag"]
    assert sum(line.mechanical_share for line in (*found.writers, *found.publishers)) == 10_000
    assert [each.isrc for each in found.recordings] == ["DEA122400001"]
    assert len(found.submitter_number) == 14


def test_reading_many_works_costs_one_statement(cast, django_assert_num_queries):
    keys = []
    for _ in range(5):
        work = make_work()
        works.state_shares(work, [Line(cast["Ana"], WorkRole.COMPOSER, HALF)])
        keys.append(work.pk)
    with django_assert_num_queries(1):
        assert all(share.party.name == "Ana" for each in works.shares_of(keys).values() for share in each)
    assert connection.vendor == "postgresql"


def test_staff_see_shares_and_mandates_and_change_them_elsewhere(cast, admin_client):
    work = make_work()
    works.state_shares(work, [Line(cast["Ana"], WorkRole.COMPOSER, THIRD, published_by=None)])
    works.join_society(cast["Ana"], society=make_party("GEMA"))
    page = admin_client.get(reverse("admin:catalog_work_change", args=[work.pk])).content.decode()
    assert "1/3" in page
    assert 'name="shares-0-role"' not in page
    party = admin_client.get(reverse("admin:catalog_party_change", args=[cast["Ana"].pk])).content.decode()
    assert "GEMA" in party
    assert 'name="memberships-0-society"' not in party


@given(st.lists(st.integers(1, 97), min_size=1, max_size=12))
def test_rounded_shares_of_the_whole_are_the_whole(weights):
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    rounded = works.hundredths(shares)
    assert sum(rounded) == 10_000
    assert all(abs(share * 10_000 - found) < 1 for share, found in zip(shares, rounded, strict=True))
