"""Memory of the whole machine that ran out is told of, by the kernel's log."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from wherry.kubelet.oom import MOST_AT_ONCE, OomWatcher, Victim, open_log, victim_of
from wherry.objects.meta import Object

HEAD = b"4,1234,5678901,-;"
GLOBAL = (
    b"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    b"task_memcg=/kubepods/besteffort/podx/c,task=%s,pid=%d,uid=0\n"
)
OF_A_CGROUP = (
    b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c,mems_allowed=0,oom_memcg=/kubepods/podx,"
    b"task_memcg=/kubepods/podx/c,task=dd,pid=77,uid=0\n"
)


def of(name: bytes, pid: int) -> bytes:
    return HEAD + GLOBAL.replace(b"%s", name).replace(b"%d", str(pid).encode())


@pytest.mark.parametrize(
    ("record", "victim"),
    [
        (of(b"stress", 4242), Victim("stress", 4242)),
        (of(b"a,pid=1,uid=0 b", 7), Victim("a,pid=1,uid=0 b", 7)),
        (of(b"\xff\xfe", 7), Victim("\ufffd\ufffd", 7)),
        (of(b"x", 7).replace(HEAD, b"12,1,1,-;"), None),
        (HEAD + OF_A_CGROUP, None),
        (HEAD + b"Out of memory: Killed process 7 (x)\n", None),
        (of(b"x", 7).replace(b"pid=7", b"pid=99999999999"), None),
        (b"", None),
        (b"x;y", None),
        (b"\xff,\xb2;oom-kill", None),
    ],
)
def test_whom_a_record_tells_of(record: bytes, victim: Victim | None) -> None:
    assert victim_of(record) == victim


class Said:
    """Events on paper."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def event(self, obj: Object, kind: str, reason: str, message: str, **more: object) -> None:
        self.events.append((kind, reason, message))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, int]]:
    """A log: what is written at one end is read record by record at the other."""
    kernel, watcher = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    watcher.setblocking(False)
    yield kernel, watcher.detach()
    kernel.close()


async def test_each_victim_is_told_once_in_upstreams_words(ends: tuple[socket.socket, int]) -> None:
    kernel, opened = ends
    said = Said()
    watcher = OomWatcher(said, {}, lambda: opened)  # type: ignore[arg-type]
    watcher.start()
    for number in range(MOST_AT_ONCE):
        kernel.send(HEAD + b"usb 1-1: device %d\n" % number)
    kernel.send(HEAD + OF_A_CGROUP)
    kernel.send(of(b"stress", 4242))

    async def told() -> bool:
        return bool(said.events)

    await eventually(told)
    message = "System OOM encountered, victim process: stress, pid: 4242"
    assert said.events == [("Warning", "SystemOOM", message)]
    watcher.close()
    watcher.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened)


async def test_a_log_that_ends_ends_the_watch(ends: tuple[socket.socket, int]) -> None:
    kernel, opened = ends
    watcher = OomWatcher(Said(), {}, lambda: opened)  # type: ignore[arg-type]
    watcher.start()
    kernel.close()

    async def closed() -> bool:
        try:
            os.fstat(opened)
        except OSError:
            return True
        return False

    await eventually(closed)


async def test_a_machine_without_such_a_log(tmp_path: Path) -> None:
    watcher = OomWatcher(Said(), {}, lambda: open_log(tmp_path / "kmsg"))  # type: ignore[arg-type]
    watcher.start()
    watcher.close()
