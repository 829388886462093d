"""What was acknowledged is there after kill -9, whenever it strikes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.kit.clock import SystemClock
from wherry.store.base import Event
from wherry.store.sqlite import SqliteStore


def run_and_kill(path: Path, lines: int) -> list[tuple[str, int, int]]:
    """Let the writer run until it acknowledged `lines` writes, kill it, and give all it acknowledged."""
    command = [sys.executable, "-m", "tests.store.crash", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        read = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        read += child.stdout.readlines()
    whole = [line.split() for line in read if line.endswith("\n")]
    return [(key, int(revision), int(value)) for key, revision, value in whole]


@pytest.mark.slow
async def test_acknowledged_writes_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    chance = random.Random(7)
    newest: dict[str, tuple[int, int]] = {}
    for _ in range(6):
        acknowledged = run_and_kill(path, chance.randrange(1, 600))
        assert acknowledged
        for key, revision, value in acknowledged:
            newest[key] = max(newest.get(key, (0, 0)), (revision, value))
        store = await SqliteStore.open(path, SystemClock())
        for key, (revision, value) in newest.items():
            entry = await store.get(key)
            assert entry is not None
            assert (entry.revision, int(entry.value)) >= (revision, value)
        count = await store.get("/count")
        assert count is not None, "a batch holds the first write of every key"
        assert bool(await store.get("/odd")) == bool(int(count.value) % 2), (
            "of two writes that are one, one is there"
        )
        assert store.revision >= max(revision for revision, _ in newest.values())
        events: list[Event] = []
        await store.watch("/", 1, events.extend)
        assert [event.entry.revision for event in events] == list(range(2, store.revision + 1))
        await store.close()
