"""Pages about the project stay true: what they name exists, and what exists is named."""

import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent.parent
READERS = r'\b(?:text|flag|number|words|dates|percent|address)\(\s*"([A-Z0-9_]+)"'
SETTINGS = sorted(set(re.findall(READERS, (ROOT / "store" / "settings.py").read_text())))
OPERATORS = (ROOT / "docs" / "operators.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_has_its_row(setting: str) -> None:
    assert re.search(rf"^\|.*`{setting}`.*\|.*\|.*\|$", OPERATORS, re.MULTILINE)


def test_every_row_is_a_setting() -> None:
    cells = [line.split("|")[1] for line in OPERATORS.splitlines() if line.startswith("|")]
    rows = {name for cell in cells for name in re.findall(r"`([A-Z0-9_]+)`", cell)}
    assert rows <= {*SETTINGS, "CLEARSONG_HOME"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_that_pages_name_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_pages_name_exist(page: Path) -> None:
    assert set(re.findall(r"manage\.py ([a-z]+)", page.read_text())) <= set(get_commands())


def test_lock_files_name_no_host() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text()


def test_every_locked_package_has_hashes() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        for requirement in re.split(r"\n(?=\S)", lock.read_text().strip()):
            assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


def test_templates_load_nothing_from_elsewhere() -> None:
    """Links to read on are welcome; whatever a browser fetches by itself comes from us."""
    fetched = re.compile(
        r"<(?:script|img|audio|video|source|iframe|link)\b[^>]*\b(?:src|href|srcset)=[\"'](?:https?:)?//"
    )
    for template in (ROOT / "store").rglob("*.html"):
        assert not fetched.search(template.read_text()), template


def test_pages_hold_no_code_or_style_of_their_own() -> None:
    """The Content-Security-Policy would not run it."""
    own = re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/(?:ld\+)?json\")|<style|\son[a-z]+=\"|\sstyle=\""
    )
    for template in (ROOT / "store" / "templates").rglob("*.html"):
        if "email" not in template.parts:
            assert not own.search(template.read_text()), template


def test_style_sheets_and_scripts_load_nothing_from_elsewhere() -> None:
    fetched = re.compile(
        r"url\(\s*[\"']?(?:https?:)?//|@import\s+[\"'](?:https?:)?//|(?:from|import)\s*\(?[\"']https?://"
    )
    for suffix in ("css", "js"):
        for file in (ROOT / "store" / "static").rglob(f"*.{suffix}"):
            assert not fetched.search(file.read_text()), file


def test_nothing_large_or_compiled_is_kept() -> None:
    """No third party's code is committed, minified files included, and no recording of anybody's."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert not [name for name in listed if re.search(r"\.min\.(js|css)$|\.map$|\.pyc$|\.so$|\.whl$", name)]
    for name in listed:
        path = ROOT / name
        if path.exists() and not name.endswith(".lock"):
            assert path.stat().st_size < 600_000, name


def test_the_dark_differs_in_colours_alone() -> None:
    """Pages are looked at closely in the light; in the dark only what colours can break is asked of them."""
    colour = re.compile(r"light-dark\(#[0-9a-f]{3,8}, #[0-9a-f]{3,8}\)")
    dark = re.compile(r"@media \(prefers-color-scheme: (?:dark|light)\) \{((?:[^{}]*\{[^{}]*\})*)\s*\}")
    for file in (ROOT / "store" / "static" / "css").glob("*.css"):
        words = file.read_text()
        blocks = dark.findall(words)
        assert words.count("prefers-color-scheme") == len(blocks), file
        set_there = {name for block in blocks for name in re.findall(r"[{;]\s*([\w-]+):", block)}
        assert set_there <= {"filter", "color", "background", "border-color", "fill", "stroke"}, file
        assert words.count("light-dark(") == len(colour.findall(words)), file
        assert not re.search(r"data-theme=[^{]*\{(?!\s*color-scheme: (?:light|dark);\s*\})", words), file
