from __future__ import annotations

import gzip
import re

import pytest
from jinja2 import UndefinedError

from lasso_trio.dashboard.assets import Assets, shipped, templates


def test_the_address_changes_with_the_content_of_any_file() -> None:
    one, other = Assets.of({"a.js": b"1", "b.js": b"2"}), Assets.of({"a.js": b"1", "b.js": b"3"})
    assert one.mark != other.mark
    assert one.mark == Assets.of({"b.js": b"2", "a.js": b"1"}).mark
    assert Assets.of({"a": b"bc"}).mark != Assets.of({"ab": b"c"}).mark
    assert one.prefix == f"/dashboard/static/{one.mark}"


def test_a_file_is_found_under_its_own_mark_only() -> None:
    assets = Assets.of({"js/a.js": b"1"})
    assert assets.find(assets.mark, "js/a.js") is assets.files["js/a.js"]
    assert assets.find("old", "js/a.js") is None
    assert assets.find(assets.mark, "../settings.py") is None


def test_text_of_some_size_is_packed_and_the_rest_is_not() -> None:
    assets = Assets.of({"a.js": b"x" * 2000, "b.js": b"x", "c.png": b"x" * 2000, "LICENSE": b"x" * 2000})
    packed = assets.files["a.js"].packed
    assert packed is not None
    assert gzip.decompress(packed) == b"x" * 2000
    assert [assets.files[name].packed for name in ("b.js", "c.png", "LICENSE")] == [None] * 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.js", "text/javascript"), ("a.css", "text/css"), ("a.svg", "image/svg+xml"), ("LICENSE.txt", "text/plain")],
)
def test_browsers_are_told_what_a_file_is(name: str, kind: str) -> None:
    assert Assets.of({name: b""}).files[name].content_type.startswith(kind)


def test_what_the_pages_ask_for_is_shipped() -> None:
    assets = shipped()
    page = templates().get_template("shell.html").render(static=assets.prefix, profile="p", title="t")
    login = (
        templates().get_template("login.html").render(static=assets.prefix, next="/dashboard", error="no", named=True)
    )
    asked = re.findall(rf'(?:src|href)="{assets.prefix}/([^"]+)"', page + login)
    assert asked
    assert [path for path in asked if path not in assets.files] == []
    assert not any(path.startswith(".") or "/." in path for path in assets.files)


def test_pages_escape_what_is_put_in_and_miss_nothing() -> None:
    page = templates().get_template("shell.html").render(static="/s", profile='"><script>', title="<b>")
    assert "<script>" not in page.replace('<script src="', "")
    with pytest.raises(UndefinedError):
        templates().get_template("shell.html").render()


def test_pages_need_no_inline_script_or_style() -> None:
    for name in ("shell.html", "login.html"):
        page = (
            templates().get_template(name).render(static="/s", profile="p", title="t", next="/", error="", named=False)
        )
        assert "<style" not in page
        assert not re.search(r"\s(style|on[a-z]+)=", page)
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
