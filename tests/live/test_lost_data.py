"""A data directory that somebody removed under a running cluster: it is told, and everything can be ended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.live.cluster import BUSYBOX, SLOT, LiveCluster, slot_flags
from tests.live.machine import footprint


@pytest.mark.parametrize("how", ["moved away while it runs", "removed once it is stopped"])
def test_what_lost_its_data_is_ended_whole(
    cluster: LiveCluster, images: dict[str, Path], tmp_path: Path, how: str
) -> None:
    lost = LiveCluster(
        directory=cluster.directory,
        name=f"lost{SLOT}",
        flags=slot_flags(SLOT + 10)[:-1],
        variables={"KUBECONFIG": str(tmp_path / "kubeconfig")},
    )
    lost.up()
    lost.wherry("image", "load", str(images[BUSYBOX]))
    lost.kubectl("run", "sleeper", f"--image={BUSYBOX}", "--", "sleep", "1000000")
    lost.kubectl("wait", "pod/sleeper", "--for=condition=Ready", "--timeout=60s")
    if how.startswith("moved"):
        lost.paths.data.rename(tmp_path / "moved")
    else:
        lost.wherry("stop")
        shutil.rmtree(lost.paths.data, ignore_errors=True)  # what is mounted below stays
    advice = f"end them with: wherry delete --name {lost.name}"
    for command in (("status",), ("up", *lost.flags)):
        refused = lost.try_wherry(*command)
        assert refused.code != 0
        assert advice in refused.err
    listed = {found["name"]: found for found in json.loads(lost.wherry("list", "-o", "json"))}
    assert listed[lost.name]["state"].startswith("runs, data gone")
    lost.wherry("delete", "--yes")
    assert footprint(lost.marks).found() == {}
    assert lost.name not in {found["name"] for found in json.loads(lost.wherry("list", "-o", "json"))}
    assert not lost.paths.data.exists()
    lost.up()
    assert lost.status()["ready"]
    lost.wherry("delete", "--yes")
