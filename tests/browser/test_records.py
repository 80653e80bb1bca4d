"""The rights desk of the studio as people meet it: long forms, tables and pages of evidence on any window."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import Page, expect

from catalog.models import Party, WorkRole, WorkShare
from licensing.terms import EvidenceKind
from store import access, evidence_pages, record_imports
from store.models import EvidencePages, User
from tests.browser import look
from tests.factories import catalog, licensing
from tests.factories.store import make_user
from tests.store import papers

OpenPage = Callable[..., Page]
SHOWN_IN = os.environ.get("PICTURES")  # a folder, for people who want to look


@pytest.fixture
def label(transactional_db: None) -> Party:
    return catalog.make_label("Bob's Records", slug="bobs")


@pytest.fixture
def bob(label: Party) -> User:
    user = make_user("Bob")
    access.join(user, label, role="OWNER")
    return user


@pytest.fixture
def pages(label: Party) -> dict[str, str]:
    """Addresses of the desk's pages, with something on each."""
    recording = catalog.make_recording("A Field Guide to Weather That Never Came", label=label, isrc="DEA122400001")
    work = recording.works.get()
    paper = licensing.make_evidence(
        EvidenceKind.AGREEMENT, text="", data=papers.plain(pages=22), media_type="application/pdf"
    )
    evidence_pages.draw(EvidencePages.objects.get(sha256=paper.sha256).pk)
    terms = {"agreement": "HR-2026-17", "exclusive": True, "price_minimum_minor": 99, "price_currency": "EUR"}
    record = licensing.make_grant(
        recording, holder=licensing.make_holder(label), evidence=[paper], basis="DIRECT", licence_url="",
        submitted_for=label, **terms,
    )  # fmt: skip
    writer = catalog.make_party("Ana Lind", ipi="00052210040")
    WorkShare.objects.create(work=work, party=writer, role=WorkRole.COMPOSER, mechanical_numerator=1)
    table = (
        "record,about,basis,until,share,evidence\n"
        f"{record.record_id},,DIRECT,2031-12-31,50 %,\n"
        ",DE-A12-24-00001,DIRECT,,half,deal.pdf\n"
        ",all recordings,DIRECT,2030-12-31,,deal.pdf\n"
    )
    staged = record_imports.stage(
        label, file_name="spring.csv", data=table.encode(), actor="user:bob",
        papers=[SimpleUploadedFile("deal.pdf", papers.plain())],
    )  # fmt: skip
    home = "/studio/bobs/rights/"
    return {
        "list": home,
        "record": f"{home}{record.record_id}/",
        "subject": f"{home}new/",
        "new": f"{home}new/recording/{recording.public_id}/",
        "new-work": f"{home}new/work/{work.public_id}/",
        "change": f"{home}{record.record_id}/change/",
        "work": f"/studio/bobs/works/{work.public_id}/",
        "tables": f"{home}import/",
        "staged": f"{home}import/{staged.public_id}/",
        "declare": f"{home}declare/",
    }


def test_no_page_of_the_rights_desk_has_a_barrier_or_is_too_wide(
    open_page: OpenPage, pages: dict[str, str], bob: User
) -> None:
    page, found = open_page(user=bob), {}
    for name, address in pages.items():
        page.goto(address)
        if SHOWN_IN:
            page.screenshot(path=Path(SHOWN_IN) / f"{name}.png", full_page=True)
        found[name] = look.faults(page, fits=("phone", "desktop"), closely=("phone",))
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("script", [True, False])
def test_a_record_is_handed_in_and_changed(
    open_page: OpenPage,
    pages: dict[str, str],
    bob: User,
    script: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    page = open_page(user=bob, script=script)
    page.goto(pages["new"])
    page.get_by_label("Agreement number").fill("HR-9")
    page.get_by_label("Files").set_input_files(
        {"name": "deal.pdf", "mimeType": "application/pdf", "buffer": papers.plain("Both sign.")}
    )
    page.get_by_role("button", name="Hand in for review").click()
    expect(page.get_by_text("The record is handed in.")).to_be_visible()
    page.get_by_role("link", name="Change it by a new version").click()
    page.get_by_label("Last day").fill("2031-12-31")
    page.get_by_role("button", name="Hand in version 2").click()
    expect(page.get_by_text("Version 2 is handed in")).to_be_visible()
    expect(page.get_by_text("31 December 2031")).to_be_visible()
