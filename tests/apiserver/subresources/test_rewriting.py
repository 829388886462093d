"""Redirects and links of proxied servers lead back through the proxy."""

from __future__ import annotations

import pytest

from tests.growth.meter import time_growth
from tests.timing import LongestTurn, least, slowness
from wherry.apiserver.subresources.pages import PORTION_B
from wherry.apiserver.subresources.rewriting import LONGEST_TAG, Page, Rewriter

LONG_PAGE = 200_000
PREFIX = "/api/v1/namespaces/default/services/web/proxy"
REWRITER = Rewriter("https", "api.example:6443", PREFIX, "10.0.0.7:8080")


@pytest.mark.parametrize(
    ("address", "rewritten"),
    [
        ("/login", f"{PREFIX}/login"),
        ("/a/?x=1#y", f"{PREFIX}/a/?x=1#y"),
        ("login", "login"),
        ("../up", "../up"),
        ("", ""),
        ("#here", "#here"),
        ("https://example.com/x", "https://example.com/x"),
        ("//example.com/x", "//example.com/x"),
        ("http://10.0.0.7:8080/x", f"https://api.example:6443{PREFIX}/x"),
        ("http://api.example:6443/x", f"https://api.example:6443{PREFIX}/x"),
        (f"{PREFIX}/x", f"{PREFIX}/x"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("http://[bad/x", "http://[bad/x"),
    ],
)
def test_addresses(address: str, rewritten: str) -> None:
    assert REWRITER.address(address) == rewritten


@pytest.mark.parametrize(
    ("page", "rewritten"),
    [
        ('<a href="/x">/x</a>', f'<a href="{PREFIX}/x">/x</a>'),
        ("<img alt='/x' src='/y'>", f"<img alt='/x' src='{PREFIX}/y'>"),
        ("<script src=/z.js></script>", f"<script src={PREFIX}/z.js></script>"),
        ('<A CLASS="/x" HREF="/y" >', f'<A CLASS="/x" HREF="{PREFIX}/y" >'),
        ("<p title=\"<a href='/x'>\">", "<p title=\"<a href='/x'>\">"),
        ('<link rel="x" href="style.css"/>', '<link rel="x" href="style.css"/>'),
        ("1 < 2 && '/x' > \"/y\"", "1 < 2 && '/x' > \"/y\""),
        ('<form action="/go" method="post">', f'<form action="{PREFIX}/go" method="post">'),
    ],
)
@pytest.mark.parametrize("portion", [1, 2, 3, 7, 1000])
def test_pages(page: str, rewritten: str, portion: int) -> None:
    """However a page is cut on its way."""
    assert rewritten_page(page, portion) == rewritten


def rewritten_page(html: str, portion: int = PORTION_B) -> str:
    """A page that comes in portions of so many characters."""
    page = Page(REWRITER)
    parts = [page.feed(html[start : start + portion]) for start in range(0, len(html), portion)]
    return "".join([*parts, page.end()])


def test_what_is_no_tag_yet_is_told_on_as_it_comes() -> None:
    page = Page(REWRITER)
    assert page.feed("hello <a hr") == "hello "
    assert page.feed('ef="/x">there') == f'<a href="{PREFIX}/x">there'


def test_little_of_a_page_is_held() -> None:
    page = Page(REWRITER)
    told = sum(len(page.feed('<a "' + "x" * 1000)) for _ in range(1000))
    assert told > 1000 * 1004 - 2 * LONGEST_TAG


@pytest.mark.parametrize(
    "unit", ['<a "', "<a \"' '\"", "\"<a '\"'", "<", "<a ", "<a x", " ", "<a =", '<a href="/x">', "<a href= "]
)
@pytest.mark.parametrize("portion", [64, PORTION_B])
def test_no_page_takes_longer_than_its_length(unit: str, portion: int) -> None:
    """Whatever a pod writes: others wait for a portion at most, and four times as much takes four times."""

    def longest_wait_s(html: str) -> float:
        page, turn = Page(REWRITER), LongestTurn()
        slower = slowness()
        for start in range(0, len(html), portion):
            turn.begin()
            page.feed(html[start : start + portion])
            turn.end()
        return turn.longest_s / slower

    def made(characters: int) -> str:
        return (unit * characters)[:characters]

    assert not time_growth(longest_wait_s, made, LONG_PAGE)
    limit_s = 0.1  # a portion is some milliseconds
    assert least(lambda: longest_wait_s(made(LONG_PAGE)), limit_s) < limit_s
