"""What a machine can tell of an open page: barriers for people, and whether it fits its window."""

from collections.abc import Iterable, Sequence
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SIZES = {"phone": (360, 780), "tablet": (768, 1000), "desktop": (1280, 900), "wide": (1600, 1000)}
COLOURS = ("color-contrast", "link-in-text-block")  # the rules that a change of colours alone can break
_script = Axe().axe_script


def barriers(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds on the page as it is now, by all its rules or by these."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = page.evaluate("options => axe.run(options).then(said => said.violations)", options)
    return [f"{one['id']}: {' '.join(node['html'][:120] for node in one['nodes'][:3])}" for one in found]


def faults(page: Page, *, fits: Iterable[str] = SIZES, closely: Iterable[str] = ()) -> list[str]:
    """All that is wrong with the page: as it stands, in the dark, `closely` at these sizes too, and too wide for any.

    In the dark only colours differ (`tests/boundaries/test_docs.py` holds it), so only what colours can break is asked.
    """
    found = barriers(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in barriers(page, COLOURS)]
    page.emulate_media(color_scheme="light")
    before, closely = page.viewport_size, set(closely)
    for size in fits:
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found += [f"{size}: {over} pixels too wide"] if over > 0 else []
        found += [f"{size}: {one}" for one in barriers(page)] if size in closely else []
    if before:
        page.set_viewport_size(before)
    return found
