"""Public licences: the closed list, and what a statement in a tag comes to."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.licences import CLOSED_LIST, DUTY_WORDS, Duty, LicenceError, asked_at, find_statement, in_words, parse


@pytest.mark.parametrize("licence", CLOSED_LIST, ids=lambda licence: licence.name)
def test_every_licence_on_the_list_is_found_by_its_own_address(licence):
    assert parse(licence.url) == licence


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://creativecommons.org/licenses/by-sa/3.0/", "CC BY-SA 3.0"),
        ("https://www.creativecommons.org/licenses/by/2.5", "CC BY 2.5"),
        ("https://creativecommons.org/licenses/by/2.0/de/", "CC BY 2.0 DE"),
        ("http://creativecommons.org/licenses/by-sa/3.0/us/deed.en_US", "CC BY-SA 3.0 US"),
        ("http://creativecommons.org/licenses/by-nc-nd/2.0/legalcode", "CC BY-NC-ND 2.0"),
        ("http://creativecommons.org/licenses/by-nd-nc/1.0/", "CC BY-ND-NC 1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.de", "CC0 1.0"),
        ("http://artlibre.org/licence/lal/", "Free Art License 1.3"),
        ("CC BY-SA 3.0", "CC BY-SA 3.0"),
    ],
)
def test_addresses_and_whole_names_resolve(address, name):
    assert parse(address).name == name


@pytest.mark.parametrize(
    "address",
    [
        "http://creativecommons.org.evil.example/licenses/by/3.0/",
        "http://evil.example/creativecommons.org/licenses/by/3.0/",
        "http://user@creativecommons.org/licenses/by/3.0/",
        "http://creativecommons.org:8080/licenses/by/3.0/",
        "ftp://creativecommons.org/licenses/by/3.0/",
        "http://creativecommons.org/licenses/by/3.1/",
        "http://creativecommons.org/licenses/by/4.0/de/",
        "http://creativecommons.org/licenses/by/2.1/",
        "http://creativecommons.org/licenses/by/3.0/xx/",
        "http://creativecommons.org/licenses/by-sa-nc/9.0/",
        "http://[broken/licenses/by/3.0/",
        "royalty free",
        "",
    ],
)
def test_what_is_not_on_the_list_is_unknown(address):
    with pytest.raises(LicenceError) as refusal:
        parse(address)
    assert refusal.value.code == "LICENCE_UNKNOWN"


@pytest.mark.parametrize(
    "text", ["http://creativecommons.org/licenses/by-sa/", "CC BY", "Creative Commons Attribution"]
)
def test_a_licence_without_its_version_says_so(text):
    with pytest.raises(LicenceError) as refusal:
        parse(text)
    assert refusal.value.code == "LICENCE_VERSION_MISSING"


def test_flags_follow_the_elements():
    nc = parse("CC BY-NC-SA 2.5")
    assert (nc.by, nc.nc, nc.nd, nc.sa, nc.no_drm) == (True, True, False, True, True)


def asked(name):
    return set(parse(name).duties)


ALWAYS = {Duty.LINK_LICENCE, Duty.NO_FURTHER_TERMS, Duty.KEEP_NOTICES, Duty.REMOVE_NAME_ON_REQUEST}


@pytest.mark.parametrize(
    ("name", "duties"),
    [
        ("CC BY 1.0", {Duty.NAME_AUTHOR, Duty.NAME_TITLE, Duty.MARK_CHANGES}),
        ("CC BY 2.0", {Duty.NAME_AUTHOR, Duty.NAME_TITLE, Duty.NAME_SOURCE, Duty.MARK_CHANGES}),
        ("CC BY 4.0", {Duty.NAME_AUTHOR, Duty.NAME_SOURCE, Duty.MARK_CHANGES}),
        ("CC BY-ND 4.0", {Duty.NAME_AUTHOR, Duty.NAME_SOURCE, Duty.NO_ADAPTATIONS}),
        (
            "CC BY-NC-SA 3.0",
            {
                Duty.NAME_AUTHOR,
                Duty.NAME_TITLE,
                Duty.NAME_SOURCE,
                Duty.MARK_CHANGES,
                Duty.SHARE_ALIKE,
                Duty.NOT_COMMERCIAL,
            },
        ),
        ("https://creativecommons.org/licenses/sa/1.0/", {Duty.SHARE_ALIKE}),
    ],
)
def test_each_version_asks_what_its_text_says(name, duties):
    assert asked(name) == duties | ALWAYS


def test_ports_ask_what_their_version_asks():
    assert all(
        licence.duties == parse(f"CC {licence.code.upper()} {licence.version}").duties
        for licence in CLOSED_LIST
        if licence.jurisdiction and licence.version in {"2.0", "2.5", "3.0"} and licence.code.startswith("by")
        and licence.code != "by-nd-nc"
    )  # fmt: skip


def test_the_free_art_licence_wants_the_originals_found_and_the_gpl_the_form_for_editing():
    assert {Duty.NAME_AUTHOR, Duty.SAY_WHERE_ORIGINALS_ARE, Duty.SHARE_ALIKE} < asked("LAL 1.3")
    gpl = parse("https://www.gnu.org/licenses/gpl-3.0.html")
    assert {Duty.OFFER_EDITABLE_FORM, Duty.SHARE_ALIKE, Duty.MARK_CHANGES, Duty.KEEP_NOTICES} < set(gpl.duties)


def test_what_is_free_of_rights_asks_nothing():
    assert asked("CC0 1.0") == asked("https://creativecommons.org/publicdomain/mark/1.0/") == set()


def test_every_duty_has_its_words_in_the_order_of_the_list():
    assert set(DUTY_WORDS) == set(Duty)
    assert in_words(reversed(list(Duty))) == [DUTY_WORDS[duty] for duty in Duty]
    assert asked_at("https://creativecommons.org/licenses/by/4.0/")[0] == "Name the author, as credited here."
    assert asked_at("https://example.org/") == []


def test_every_licence_of_the_list_that_may_be_sold_asks_something_or_is_free():
    assert all(licence.duties or licence.code in {"zero", "mark"} for licence in CLOSED_LIST)


def test_licences_for_samples_or_software_are_held():
    assert parse("https://creativecommons.org/licenses/sampling+/1.0/").held
    assert parse("https://www.gnu.org/licenses/gpl-3.0.html").held


SENTENCE = (
    "2012 Bob. Licensed to the public under http://creativecommons.org/licenses/by/3.0/us/ verify at http://b.org/"
)


@pytest.mark.parametrize(
    ("key", "text", "name"),
    [
        ("LICENSE", "http://creativecommons.org/licenses/by-sa/3.0/", "CC BY-SA 3.0"),
        ("TCOP", SENTENCE, "CC BY 3.0 US"),
        ("COPYRIGHT", "This work is under (CC) BY-SA 3.0.", "CC BY-SA 3.0"),
        ("COPYRIGHT", "Creative Commons Attribution-Noncommercial-Share Alike 3.0 Unported", "CC BY-NC-SA 3.0"),
        ("cprt", "see creativecommons.org/licenses/by/4.0/.", "CC BY 4.0"),
        ("COMMENT", "CC0", "CC0 1.0"),
    ],
)
def test_statements_are_found_inside_sentences(key, text, name):
    statement = find_statement([(key, text)])
    assert statement is not None
    assert statement.licence is not None
    assert (statement.licence.name, statement.text) == (name, text)


@pytest.mark.parametrize(
    "text", ["(c) 2010 Bob", "℗ 2010 Bob. All rights reserved.", "Success by nature", "Thanks to CCByron", ""]
)
def test_a_mere_copyright_notice_is_no_statement(text):
    assert find_statement([("COPYRIGHT", text)]) is None


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("COMMENT", "This is CC BY, have fun")], "LICENCE_VERSION_MISSING"),
        ([("COMMENT", "royalty-free music")], "LICENCE_UNKNOWN"),
        ([("COPYRIGHT", "No copyright")], "LICENCE_UNKNOWN"),
        ([("LICENSE", "http://bob.example/licence")], "LICENCE_UNKNOWN"),
        ([("WCOP", "http://creativecommons.org/licenses/by/3.0/"), ("TCOP", "CC BY-NC 3.0")], "LICENCE_UNKNOWN"),
        ([("TCOP", "CC BY"), ("WCOP", "http://creativecommons.org/licenses/by-nc/3.0/")], "LICENCE_UNKNOWN"),
    ],
)
def test_vague_or_contradicting_statements_have_their_own_reason(pairs, problem):
    statement = find_statement(pairs)
    assert statement is not None
    assert (statement.licence, statement.problem) == (None, problem)


def test_statements_that_agree_are_one():
    pairs = [
        ("TCOP", "CC BY-SA 3.0"),
        ("WCOP", "http://creativecommons.org/licenses/by-sa/3.0/de/"),
        ("COMM", "CC BY-SA"),
    ]
    statement = find_statement(pairs)
    assert statement is not None
    assert statement.url == "https://creativecommons.org/licenses/by-sa/3.0/de/"


words = st.sampled_from(
    [
        "cc",
        "by",
        "-",
        "sa",
        "nc",
        "3.0",
        "http://",
        "creativecommons.org",
        "/licenses/",
        "(",
        "licence",
        " ",
        "[",
        "GPL",
        "0",
    ]
)


@given(
    st.lists(st.tuples(st.sampled_from(["LICENSE", "COPYRIGHT"]), st.text() | st.lists(words).map("".join)), max_size=3)
)
def test_no_text_makes_the_reader_stumble(pairs):
    statement = find_statement(pairs)
    assert statement is None or (statement.licence is None) == bool(statement.problem)


@pytest.mark.parametrize(
    "piece", ["cc by ", "cc0.", "cc by-", " ", "http://", "creative commons ", "CC (", "GPL v", "by "]
)
def test_a_hostile_tag_costs_no_more_than_a_glance(piece):
    before = process_time()
    find_statement([("LICENSE", "cc by" + piece * 200_000)])
    assert process_time() - before < 2


def test_a_contradiction_keeps_every_statement_for_the_reviewer():
    pairs = [("LICENSE", "https://creativecommons.org/licenses/by/4.0/"), ("COPYRIGHT", "2020 Bob, CC BY-NC 4.0")]
    statement = find_statement(pairs)
    assert statement is not None
    assert all(text in statement.text for _, text in pairs)
