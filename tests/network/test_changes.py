"""The kernel tells of rules that went, and the right people listen."""

from __future__ import annotations

import pytest

from tests.conftest import eventually
from tests.network.namespaces import needs_root, run_apart
from wherry.network.changes import removed_from, rule_news
from wherry.network.tool import run_tool


def test_what_is_no_message_is_none() -> None:
    for datagram in (b"", b"\0" * 15, b"\0" * 64, b"\xff" * 64):
        assert list(removed_from(datagram)) == []


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize(
    ("command", "is_heard"),
    [
        (["iptables", "-F"], True),
        (["iptables", "-F", "FORWARD"], True),
        (["iptables", "-D", "FORWARD", "-j", "OURS"], True),
        (["iptables", "-F", "OURS"], True),
        (["nft", "flush", "ruleset"], True),
        (["iptables", "-F", "THEIRS"], False),
        (["iptables", "-A", "FORWARD", "-j", "THEIRS"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_removals_are_heard_of(command: list[str], is_heard: bool) -> None:
    async def work() -> None:
        for line in (
            "-N OURS",
            "-N THEIRS",
            "-A FORWARD -j OURS",
            "-A OURS -j ACCEPT",
            "-A THEIRS -j ACCEPT",
        ):
            await run_tool("iptables", *line.split())
        heard: list[str] = []
        news = rule_news({"OURS", "FORWARD"}.__contains__, lambda: heard.append("removed"))
        news.start()
        try:
            await run_tool(*command)
            if not is_heard:  # what comes after it is
                assert heard == []
                await run_tool("iptables", "-F", "OURS")
            await eventually(lambda: bool(heard))
            assert is_heard or len(heard) == 1
        finally:
            news.close()

    run_apart(work)
