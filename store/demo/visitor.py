"""Somebody who uses the shop over HTTP as a browser without JavaScript does: pages, forms, cookies, downloads."""

import hashlib
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import cast
from urllib.parse import urlencode, urljoin

TIMEOUT_SECONDS = 120
CHUNK = 1 << 20


class PageFailed(RuntimeError):
    """The shop did not answer as a shopper may expect; the message holds the address and what came back."""


@dataclass
class Form:
    """One form of a page: where it goes, and what it would send if nothing were changed."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select: str | None = None
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append(Form(values.get("action", ""), values.get("method", "get").lower()))
        elif self._inside:
            self._read_field(tag, values)

    def _read_field(self, tag: str, values: dict[str, str]) -> None:
        fields, name = self.forms[-1].fields, values.get("name", "")
        if tag == "input" and name:
            if values.get("type") in {"checkbox", "radio"}:
                if "checked" in values:
                    fields[name] = values.get("value", "on")
            elif values.get("type") not in {"submit", "button", "image"}:
                fields[name] = values.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in values or self._select not in fields):
            fields[self._select] = values.get("value", "")
        elif tag == "textarea" and name:
            fields.setdefault(name, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = None


@dataclass(frozen=True)
class Page:
    """An answer: the address that gave it in the end (after redirects), and its text."""

    url: str
    html: str

    def forms(self, action_part: str) -> list[Form]:
        """The forms whose address contains `action_part`, in the order of the page."""
        reader = _FormReader()
        reader.feed(self.html)
        return [form for form in reader.forms if action_part in urljoin(self.url, form.action)]

    def form(self, action_part: str) -> Form:
        """The first of them; raises `PageFailed` where the page has none."""
        for form in self.forms(action_part):
            return form
        raise PageFailed(f"{self.url} has no form that goes to …{action_part}…")


@dataclass(frozen=True)
class Fetched:
    """A file as it arrived."""

    path: Path
    bytes: int
    sha256: str
    file_name: str


class Visitor:
    """One browser: its cookies, and the site it visits."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, address: str) -> Page:
        return self._page(urllib.request.Request(urljoin(self.site, address)))  # noqa: S310 - our own site

    def submit(self, page: Page, form: Form, **changes: str) -> Page:
        """Send a form of `page` with some of its fields changed, as pressing its button does."""
        return self._page(self._request_for(page, form, changes))

    def fetch(self, page: Page, form: Form, into: Path) -> Fetched:
        """Send a form that answers with a file, and keep the file."""
        return self._file(self._request_for(page, form, {}), into)

    def _request_for(self, page: Page, form: Form, changes: dict[str, str]) -> urllib.request.Request:
        address = urljoin(page.url, form.action)
        body = urlencode({**form.fields, **changes})
        if form.method == "get":
            return urllib.request.Request(f"{address}?{body}")  # noqa: S310 - an address of our own page
        return urllib.request.Request(address, data=body.encode(), headers={"Referer": page.url})  # noqa: S310

    def _open(self, request: urllib.request.Request) -> HTTPResponse:
        try:
            return cast(HTTPResponse, self._opener.open(request, timeout=TIMEOUT_SECONDS))
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(600).decode(errors="replace")
            raise PageFailed(f"{request.full_url} answered {error.code}: {said}") from error
        except urllib.error.URLError as error:
            raise PageFailed(f"{request.full_url} did not answer: {error.reason}") from error

    def _page(self, request: urllib.request.Request) -> Page:
        with self._open(request) as answer:
            return Page(answer.geturl(), answer.read().decode("utf-8"))

    def _file(self, request: urllib.request.Request, into: Path) -> Fetched:
        digest, size = hashlib.sha256(), 0
        with self._open(request) as answer, into.open("wb") as file:
            name = answer.headers.get_filename() or into.name
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return Fetched(into, size, digest.hexdigest(), name)
