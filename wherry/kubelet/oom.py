"""When the whole machine runs out of memory, an event of the node says whom the kernel killed.

Source: pkg/kubelet/oom/oom_watcher_linux.go. The kernel tells of it in its log (`mm/oom_kill.c`, one line per
victim); what ends for its own cgroup's limit is told of by the runtime (reason OOMKilled), not here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wherry.client.events import Recorder
from wherry.kit.integers import parse_unsigned
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

KMSG = Path("/dev/kmsg")
REASON = "SystemOOM"
MOST_AT_ONCE = 64
"""Records that are read before others have their turn."""
RECORD_BYTES = 8192
"""The kernel gives one record a read, and none that is longer (CONSOLE_EXT_LOG_MAX)."""
FROM_KERNEL = 0
_LINE = re.compile(
    rb"oom-kill:constraint=[A-Z_]*,.*?,global_oom,.*?,task=(.*),pid=([0-9]{1,10}),uid=[0-9]{1,10}"
)


class Victim(NamedTuple):
    """A process that was killed for want of memory in the whole machine."""

    name: str
    pid: int


def victim_of(record: bytes) -> Victim | None:
    """The victim a record of the kernel's log tells of, None for any other record.

    What processes write into the log themselves does not count: any privileged container can.
    """
    head, _, text = record.partition(b";")
    priority = parse_unsigned(head.split(b",")[0].decode("ascii", "replace"), 32)
    if priority is None or priority >> 3 != FROM_KERNEL:
        return None
    found = _LINE.match(text.partition(b"\n")[0])
    pid = parse_unsigned(found[2].decode(), 32) if found is not None else None
    return Victim(found[1].decode("utf-8", "replace"), pid) if found is not None and pid is not None else None


def open_log(path: Path = KMSG) -> int:
    """The kernel's log from now on: one record a read. Raises OSError."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.lseek(opened, 0, os.SEEK_END)
    except BaseException:
        os.close(opened)
        raise
    return opened


class OomWatcher:
    """Follows the kernel's log. `node` is what the events are about."""

    def __init__(self, recorder: Recorder, node: Object, opener: Callable[[], int] = open_log) -> None:
        self._recorder = recorder
        self._node = node
        self._opener = opener
        self._opened: int | None = None

    def start(self) -> None:
        """Begin, where there is such a log."""
        try:
            self._opened = self._opener()
        except OSError as error:
            log.info("the kernel's log cannot be read, nothing is told of memory that ran out: %s", error)
            return
        asyncio.get_running_loop().add_reader(self._opened, self._read)

    def close(self) -> None:
        """Stop."""
        if self._opened is not None:
            asyncio.get_running_loop().remove_reader(self._opened)
            os.close(self._opened)
            self._opened = None

    def _read(self) -> None:
        for _ in range(MOST_AT_ONCE):
            if self._opened is None:
                return
            try:
                record = os.read(self._opened, RECORD_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EPIPE, errno.EINVAL):  # overwritten before it was read, or too long
                    continue
                log.warning("the kernel's log cannot be read any more: %s", error)
                self.close()
                return
            if not record:
                self.close()
                return
            victim = victim_of(record)
            if victim is not None:
                message = f"System OOM encountered, victim process: {victim.name}, pid: {victim.pid}"
                self._recorder.event(self._node, "Warning", REASON, message)
