"""The demo's shopper reads pages as a browser without JavaScript does."""

import pytest

from store.demo.visitor import Page, PageFailed

PAGE = Page(
    "http://shop.example/basket",
    """<form action="/search"><input name="q" value=""></form>
    <form method="post" action="/download"><input type="hidden" name="line" value="7">
      <input name="agree" type="checkbox">
      <input type="radio" name="kind" value="a"><input type="radio" name="kind" value="b" checked>
      <select name="country"><option value="AT">Austria</option><option value="DE" selected>Germany</option></select>
      <textarea name="note"></textarea><button name="act" value="go">Go</button></form>
    <input name="outside" value="x">""",
)


def test_a_form_sends_what_stands_in_it() -> None:
    form = PAGE.form("/download")
    assert (form.method, form.fields) == ("post", {"line": "7", "kind": "b", "country": "DE", "note": ""})


def test_an_address_is_read_from_where_the_page_lies() -> None:
    assert [form.action for form in PAGE.forms("http://shop.example/")] == ["/search", "/download"]


def test_a_form_that_is_not_there_is_named() -> None:
    with pytest.raises(PageFailed, match="/checkout"):
        PAGE.form("/checkout")
