"""`/logs/`: files below the node's log folder and nothing else, and the journal's command."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.kubelet.server.test_server import Setup, Sink
from tests.openings import openings
from tests.timing import PATIENCE_S
from wherry.kit.httpd.message import Connection, Request, RequestHeaders, StreamResponse
from wherry.kubelet.server.answers import NotServed
from wherry.kubelet.server.node_logs import MOST_JOURNALS, LogQuery, NodeLogs, journal_command, parse_query


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    folder = tmp_path / "var-log"
    (folder / "pods").mkdir(parents=True)
    (folder / "syslog").write_text("one\ntwo\n")
    (folder / "pods" / "a b.log").write_text("x")
    (folder / "containerd.log").write_text("containerd says\n")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to("pods")
    return Setup(tmp_path, shows_system_logs=True, takes_log_queries=True, system_log_dir=folder)


async def test_files(setup: Setup) -> None:
    assert await setup.text("/logs/syslog") == (200, "one\ntwo\n")
    assert await setup.text("/logs/pods/a b.log") == (200, "x")
    names = ("containerd.log", "pods/", "syslog")
    page = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
    assert await setup.text("/logs/") == (200, f"<pre>\n{page}</pre>\n")
    assert (await setup.text("/logs/pods/"))[1].startswith('<pre>\n<a href="a%20b.log">a b.log</a>')


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/logs/link", 404),
        ("/logs/up/secret", 404),
        ("/logs/loop/a b.log", 404),
        ("/logs/../secret", 400),
        ("/logs/pods/../../secret", 400),
        ("/logs/none", 404),
        ("/logs/syslog/x", 404),
        ("/logs/a\x00b", 400),
    ],
)
async def test_nothing_else(setup: Setup, path: str, status: int) -> None:
    answer = await setup.text(path)
    assert answer[0] == status
    assert "secret" not in answer[1]


async def test_a_pipe_is_not_opened(setup: Setup, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "var-log" / "pods" / "pipe.log")
    with openings(tmp_path / "var-log" / "pods") as opened:
        assert (await setup.text("/logs/pods/pipe.log"))[0] == 404
    assert opened == []


async def test_a_service_by_its_file_or_its_journal(setup: Setup, tmp_path: Path) -> None:
    assert await setup.text("/logs/", "query=containerd") == (200, "containerd says\n")
    assert await setup.text("/logs/", "query=/syslog") == (200, "one\ntwo\n")
    assert (await setup.text("/logs/", "query=/../secret"))[0] == 400
    assert (await setup.text("/logs/", "query=a&tailLines=x"))[0] == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", None),
        ("unknown=1", None),
        ("query=kubelet", LogQuery(services=("kubelet",))),
        ("query=a&query=b", LogQuery(services=("a", "b"))),
        ("query=/x/y", LogQuery(file="/x/y")),
        (
            "query=a&tailLines=5&pattern=oh+no&boot=-1",
            LogQuery(services=("a",), tail_lines=5, pattern="oh no", boot=-1),
        ),
        (
            "query=a&sinceTime=2026-01-01T00:00:00Z&untilTime=2026-01-01T00:00:01.5%2B00:00",
            LogQuery(services=("a",), since="@1767225600.000000", until="@1767225601.500000"),
        ),
    ],
)
def test_queries(query: str, found: LogQuery | None) -> None:
    assert parse_query(query) == found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tailLines=5", "query: Required value: cannot be empty with options"),
        ("query=/a&query=b", "cannot specify a file and service"),
        ("query=/a&query=/b", "cannot specify more than one file"),
        ("query=/a&boot=0", "cannot specify file with options"),
        ("query=a;rm", "unsupported characters"),
        ("query=-a", "unsupported characters"),
        ("query=a&pattern=%00", "unsupported characters"),
        ("query=a&query=b&query=c&query=d&query=e", "query: Too many: 5"),
        ("query=a&sinceTime=yesterday", "invalid time format"),
        ("query=a&sinceTime=2026-01-01T00:00:00", "invalid time format"),
        ("query=a&boot=1", "must be from"),
        ("query=a&tailLines=999999999", "must be from"),
    ],
)
def test_queries_refused(query: str, said: str) -> None:
    with pytest.raises(NotServed, match=said) as caught:
        parse_query(query)
    assert caught.value.status == 400


def test_values_are_no_options() -> None:
    query = LogQuery(services=("kubelet",), since="@1.0", tail_lines=3, pattern="--file=/etc/shadow", boot=0)
    assert journal_command("journalctl", query)[5:] == [
        "--unit=kubelet",
        "--since=@1.0",
        "--lines=3",
        "--grep=--file=/etc/shadow",
        "--boot=0",
    ]


async def test_what_the_journal_says_is_handed_on(setup: Setup, tmp_path: Path) -> None:
    program = tmp_path / "journal"
    program.write_text('#!/bin/sh\necho "asked: $*"\n')
    program.chmod(0o755)
    assert (await asked(setup, str(program))).endswith("--unit=none --lines=2\n")
    with pytest.raises(NotServed, match="is not installed"):
        await asked(setup, "no-such-program")


@pytest.mark.parametrize("path", ["/logs/syslog", "/logs/pods"])
async def test_clients_that_go_away_at_once_leave_nothing_open(setup: Setup, path: str) -> None:
    page = NodeLogs(setup.config)
    request = Request("GET", path, path, "", RequestHeaders(), b"", Connection(None, None))
    before = len(os.listdir("/proc/self/fd"))
    for turns in range(20):
        tasks = [asyncio.create_task(page.page(request)) for _ in range(10)]
        for _ in range(turns % 4):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(answer, StreamResponse):  # it was done before its client went away
                await answer.run(Sink())
    threads_work = asyncio.all_tasks() - {asyncio.current_task()}
    if threads_work:
        await asyncio.wait(threads_work, timeout=PATIENCE_S)
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_few_readers_of_the_journal_run_at_once(setup: Setup, tmp_path: Path) -> None:
    program, gate = tmp_path / "journal", tmp_path / "gate"
    program.write_text(f"#!/bin/sh\necho begun\nread x <{gate}\n")
    program.chmod(0o755)
    os.mkfifo(gate)
    page = NodeLogs(setup.config, str(program))
    request = _asking()
    answers = [await page.page(request) for _ in range(MOST_JOURNALS + 1)]
    sinks = [Sink() for _ in answers]
    running = []
    for answer, sink in zip(answers, sinks, strict=True):
        assert isinstance(answer, StreamResponse)
        running.append(asyncio.ensure_future(answer.run(sink)))
    await running[-1]
    assert sinks[-1].data.decode().endswith("ask again later\n"), "it was let in before the others began"
    with pytest.raises(NotServed, match="ask again later") as refused:
        await page.page(request)
    assert refused.value.status == 429
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert isinstance(await page.page(request), StreamResponse)


async def asked(setup: Setup, program: str) -> str:
    """What a page that reads the journal by `program` says."""
    answer = await NodeLogs(setup.config, program).page(_asking())
    assert isinstance(answer, StreamResponse)
    sink = Sink()
    await answer.run(sink)
    return sink.data.decode()


def _asking() -> Request:
    query = "query=none&tailLines=2"
    return Request("GET", "/logs/", "/logs/", query, RequestHeaders(), b"", Connection(None, None))
