"""The same bytes mean the same, however they are cut on their way."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.kit.httpd.message import Connection
from wherry.kit.httpd.parsing import Exchange, Held, Limits, RequestReader

LIMITS = Limits(body_bytes=600, head_bytes=400, headers=8)

Seen = list[tuple[int, str, str, bytes, Mapping[str, str]]]


def read(pieces: list[bytes]) -> Seen:
    """What comes out of a reader that is fed `pieces`, upgrades being refused."""
    seen: Seen = []

    def arrived(exchange: Exchange) -> None:
        request = exchange.request
        seen.append((exchange.refusal, request.method, request.path, request.body, request.headers))
        exchange.let_go()

    held = Held(10_000)
    reader = RequestReader(Connection(None, None), LIMITS, lambda *_: held, arrived, lambda: None)
    for piece in pieces:
        at = 0
        while at < len(piece):
            at += reader.feed(memoryview(piece)[at:])
            if reader.at_upgrade:
                reader.restart()
    reader.let_go()
    assert held.bytes == 0, "nothing is counted for ever"
    return seen


def message(path: str, headers: list[tuple[str, str]], body: bytes, chunks: int) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers]
    if chunks:
        lines.append("Transfer-Encoding: chunked")
        step = max(len(body) // chunks, 1)
        parts = [body[at : at + step] for at in range(0, len(body), step)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    elif body:
        lines.append(f"Content-Length: {len(body)}")
    head = "".join(f"{line}\r\n" for line in (f"POST /{path} HTTP/1.1", *lines))
    return head.encode() + b"\r\n" + body


words = st.text("abcxyz", max_size=12)
names = st.sampled_from(["A", "B-c", "Connection", "Upgrade", "Expect"])
messages = st.builds(
    message,
    st.one_of(words, st.just("x" * 380), st.just("x" * 420)),
    st.lists(st.tuples(names, st.one_of(words, st.just("v" * 150), st.just("upgrade"))), max_size=9),
    st.binary(max_size=700),
    st.integers(0, 3),
)
streams = st.lists(st.one_of(messages, messages, messages, st.just(b"nonsense\r\n\r\n")), max_size=6)


@settings(max_examples=600, deadline=None)
@given(streams, st.lists(st.integers(0, 5000), max_size=12))
def test_cuts_change_nothing(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(places) if a < b]
    assert read(pieces) == read([whole] if whole else [])


def test_many_small_requests_are_no_large_head() -> None:
    """A piece that ends inside a head is mostly not of that head."""
    piece = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100 + b"GET / HTT"
    assert [refusal for refusal, *_ in read([piece, b"P/1.1\r\nHost: x\r\n\r\n"])] == [0] * 101


def test_a_body_without_line_ends_is_no_part_of_the_head_behind_it() -> None:
    first = message("a", [("Host", "h")], b"x" * 600, 0)
    second = message("b", [("Host", "h")], b"", 0)
    pieces = [first[:-480], first[-480:] + second[:7], second[7:]]
    assert [(refusal, path) for refusal, _, path, _, _ in read(pieces)] == [(0, "/a"), (0, "/b")]
