"""Redirects and links of proxied servers lead back through the proxy."""

from __future__ import annotations

import asyncio
import time

import pytest

from wherry.apiserver.subresources.rewriting import Rewriter

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
async def test_pages(page: str, rewritten: str) -> None:
    assert await REWRITER.page(page) == rewritten


@pytest.mark.parametrize(
    "unit", ['<a "', "<a \"' '\"", "\"<a '\"'", "<", "<a ", "<a x", " ", "<a =", '<a href="/x">', "<a href= "]
)
async def test_no_page_takes_longer_than_its_length(unit: str) -> None:
    """Whatever a pod writes: others wait for a portion at most, and four times as much takes four times."""

    async def longest_wait_s(characters: int) -> tuple[float, float]:
        rewriting = asyncio.ensure_future(REWRITER.page((unit * characters)[:characters]))
        began = last = time.thread_time()
        longest = 0.0
        while not rewriting.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
        return longest, last - began

    _, short = await longest_wait_s(250_000)
    longest, long = await longest_wait_s(1_000_000)
    assert long < 8 * short + 0.1
    assert longest < 0.2, "a portion is some milliseconds"
