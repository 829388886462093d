"""Snapshots as files: a cluster goes on from them in this process or another, or is told why not."""

from __future__ import annotations

import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.testing.test_cluster import WEB
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.hollow.outcomes import Chosen, Exits, Outcome
from wherry.hollow.stages import Stage
from wherry.kit.simulated_loop import START
from wherry.testing import AsyncCluster, ClosedError, Cluster, Snapshot, SnapshotError, snapshot_file

NEVER_PULLS = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: stuck}
spec: {pods: {matchLabels: {app: stuck}}, neverPulls: true}
"""


def test_a_saved_snapshot_is_the_one_that_was_taken(tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes.yaml"
    outcomes.write_text(NEVER_PULLS)
    crashes = Outcome(name="crashes", chosen=Chosen({"app": "web"}, names=("web-*",)), exits=Exits(3, 2.0))
    with Cluster(nodes=2, outcomes=[outcomes, crashes], objects=[WEB], seed=4) as c:
        c.clock.advance("1h")
        taken = c.snapshot()
        taken.save(tmp_path / "taken")
    outcomes.unlink()
    loaded = Snapshot.load(tmp_path / "taken")
    assert loaded.moment == replace(taken.moment, is_founded=False)
    assert loaded.settings == replace(
        taken.settings, outcomes=(NEVER_PULLS, crashes), objects=(), controllers="all"
    )
    assert (tmp_path / "taken").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_a_cluster_goes_on_from_a_file_as_from_the_snapshot(tmp_path: Path) -> None:
    with Cluster(nodes=2, objects=[WEB]) as c:
        c.clock.advance("1h")
        taken = c.snapshot()
    taken.save(str(tmp_path / "taken"))
    ends = []
    for snapshot in (taken, Snapshot.load(tmp_path / "taken")):
        with snapshot.fork() as c:
            assert c.clock.now() == START + timedelta(hours=1)
            c.client.patch("deploy", "web", {"spec": {"replicas": 4}})
            c.clock.advance("10m")
            assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 4
            ends.append([(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in c.client.list("pods")])
    assert ends[0] == ends[1]
    with Cluster() as c:
        c.restore(Snapshot.load(tmp_path / "taken"))
        assert len(c.client.list("pods")) == 2


@pytest.mark.slow  # an interpreter of its own
def test_another_process_goes_on_from_a_file(tmp_path: Path) -> None:
    with Cluster(nodes=1, objects=[WEB]) as c:
        authority = c.client.get("cm", "kube-root-ca.crt")["data"]["ca.crt"]
        c.snapshot().save(tmp_path / "taken")
    program = """if True:
        import sys
        from wherry.testing import Snapshot, keys
        with Snapshot.load(sys.argv[1]).fork() as c:
            assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
            c.clock.advance("1m")
            published = c.client.get("cm", "kube-root-ca.crt")["data"]["ca.crt"]
            assert published == keys.make().authority.cert.read_text()
            stated = c.client.get("cm", "extension-apiserver-authentication", "kube-system")
            assert stated["data"]["client-ca-file"] == published
            print(published, end="")
    """
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "taken")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("-----BEGIN CERTIFICATE")
    assert ran.stdout != authority, "keys are the process's own"


async def test_for_tests_with_a_loop_of_their_own(tmp_path: Path) -> None:
    async with AsyncCluster(objects=[WEB]) as c:
        (await c.snapshot()).save(tmp_path / "taken")
        await c.client.delete("deploy", "web")
        async with await c.fork() as fork:
            assert await fork.client.list("pods") == []
        async with await c.fork(Snapshot.load(tmp_path / "taken")) as fork:
            assert len(await fork.client.list("pods")) == 2
    with pytest.raises(ClosedError, match="does not run"):
        await c.fork()


def test_a_snapshot_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        taken = c.snapshot()
        taken.save(tmp_path / "taken")
        monkeypatch.setattr("wherry.testing.snapshot._version", lambda: "9.9")
        message = f"was taken by Wherry {taken.version}, this is 9.9: take it anew"
        for use in (taken.fork, lambda: c.restore(taken), lambda: c.fork(taken)):
            with pytest.raises(SnapshotError, match=f"^the snapshot {message}$"):
                use()
        with pytest.raises(SnapshotError, match=f"taken {message}$"):
            Snapshot.load(tmp_path / "taken")
        assert c.client.list("namespaces"), "nothing happened to the cluster"


def test_what_was_made_in_python_alone_cannot_be_kept(tmp_path: Path) -> None:
    stage = Stage(name="odd", resource=CONFIG_MAPS, matches=lambda _: False, steps=lambda _: ())
    with Cluster(controllers="none", scheduler=False, stages=[stage]) as c:
        with pytest.raises(
            SnapshotError, match="a Stage made in Python cannot be kept in a file: give it as"
        ):
            c.snapshot().save(tmp_path / "file")
        with c.fork() as fork:
            assert fork.client.list("namespaces")
    assert not (tmp_path / "file").exists()


def test_what_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with Cluster(controllers="none", scheduler=False) as c:
        taken = c.snapshot()
        taken.save(file)
    whole = file.read_bytes()
    for text, message in (
        (b"", "is no snapshot"),
        (b"kind: List\n", "is no snapshot"),
        (
            b"wherry-snapshot 2\nwhatever",
            "is a snapshot of format 2, this Wherry reads format 1: take it anew",
        ),
        (whole[:-100], "is damaged"),
        (whole[:500] + b"x" + whole[501:], "is damaged"),
    ):
        file.write_bytes(text)
        with pytest.raises(SnapshotError, match=message):
            Snapshot.load(file)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Snapshot.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        taken.save(tmp_path / "nowhere" / "file")


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_file, "LARGEST_B", 100_000)
    path = tmp_path / "large"
    path.write_bytes(snapshot_file.MAGIC + b"%d\n" % snapshot_file.FORMAT + zlib.compress(b" " * 200_000))
    with pytest.raises(SnapshotError, match="of more than 100000 bytes"):
        Snapshot.load(path)


def test_what_is_no_snapshot_is_told() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        for given in ("x", None, 5):
            with pytest.raises(SnapshotError, match=f"a {type(given).__name__} is no snapshot; give what"):
                c.restore(given)  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(SnapshotError, match="a str is no snapshot"):
            c.fork("x")  # type: ignore[arg-type]  # wrong on purpose
