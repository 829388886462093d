"""Running a tool: whatever keeps it from running or ending is one kind of error."""

from __future__ import annotations

import asyncio
import errno
from typing import Any, NoReturn

import pytest

from wherry.network import tool
from wherry.network.tool import ToolNotRun, ToolRefused, run_tool, tool_fails


async def test_what_it_prints_and_reads() -> None:
    assert await run_tool("cat", stdin="rules\n") == "rules\n"


async def test_a_refusal_has_the_code_and_the_complaint() -> None:
    with pytest.raises(ToolRefused, match="no such chain") as caught:
        await run_tool("sh", "-c", "echo no such chain >&2; exit 4")
    assert (caught.value.code, caught.value.complaint) == (4, "no such chain")
    assert await tool_fails("false")
    assert not await tool_fails("true")


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
async def test_no_process_to_be_had_is_its_failure(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    async def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError(number, "not now")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    with pytest.raises(ToolNotRun, match="iptables cannot be started: not now"):
        await run_tool("iptables", "-S")
    with pytest.raises(ToolNotRun):
        await tool_fails("iptables", "-S")


async def test_one_that_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolNotRun, match="conntrack is not installed; run: apt-get install -y conntrack"):
        await run_tool("conntrack", "-L")


@pytest.mark.slow
async def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "TOOL_TIMEOUT_S", 0.1)
    with pytest.raises(ToolNotRun, match="no end within 0 s"):
        await run_tool("sleep", "600")
