"""A short run of `make chaos`: random faults under load, and at the end nothing is lost or left."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.run import prepare, torment
from tests.live.cluster import BUSYBOX, LiveCluster, slot_flags
from tests.live.machine import footprint

SECONDS = 60.0
SEED = 20260101


@pytest.fixture
def tormented(images: dict[str, Path]) -> Iterator[LiveCluster]:
    """A cluster of its own, of which nothing may be left afterwards."""
    directory = Path("/tmp") / f"wherry-chaos-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    cluster = LiveCluster(directory=directory, name="chaos", flags=slot_flags(8))
    try:
        cluster.up()
        cluster.wherry("image", "load", str(images[BUSYBOX]))
        prepare(cluster)
        yield cluster
        cluster.wherry("delete")
        assert footprint(cluster.marks).found() == {}
        shutil.rmtree(directory)
    except BaseException:
        cluster.try_wherry("down")  # the data stays for a look at the logs
        raise


def test_a_minute_of_faults(tormented: LiveCluster) -> None:
    report = torment(tormented, duration_s=SECONDS, seed=SEED)
    assert report.complaints == []
    assert sum(report.faults.values()) >= 4
    assert report.answers[200] + report.answers[201] > 100
