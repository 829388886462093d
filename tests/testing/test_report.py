"""What is told of a cluster where a test failed: who is not well, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from wherry.testing import AsyncCluster, Cluster, Snapshot
from wherry.testing.plugin import _folded
from wherry.testing.settings import NODES, Settings, SettingsError

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "j"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}},
}


def not_well(report: str) -> str:
    return report.partition("Not well:\n")[2].partition("Latest events:")[0]


def test_a_job_that_is_refused_its_pods_is_not_well() -> None:
    with Cluster(controllers=["job"], nodes=1) as c:
        c.apply(JOB)
        c.clock.advance("1m")
        told = not_well(c.report())
    assert "job default/j: FailedCreate: Error creating: pods" in told
    assert "  node node-0: tainted node.kubernetes.io/not-ready:NoSchedule\n" in told


def test_what_is_well_again_is_not_told() -> None:
    with Cluster(nodes=1) as c:
        c.apply(JOB)
        c.wait("job/j", "Complete")
        assert not_well(c.report()) == "  (none)\n"


def _fail_after(work: Callable[[], object]) -> NoReturn:
    work()
    raise ZeroDivisionError


def test_an_error_that_leaves_a_cluster_of_the_tests_own_tells_of_it() -> None:
    with pytest.raises(ZeroDivisionError) as caught, Cluster() as c, c.fork() as other:
        _fail_after(lambda: other.clock.advance("1h"))
    assert [note.splitlines()[:2] for note in caught.value.__notes__] == [
        ["Wherry cluster:", f"time in the cluster: 2026-01-01T0{hour}:00:00Z, seed 0"] for hour in (1, 0)
    ]
    with pytest.raises(ZeroDivisionError) as closed, Cluster() as c:
        _fail_after(c.close)
    assert not hasattr(closed.value, "__notes__")


async def test_the_same_of_an_asynchronous_cluster() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        async with AsyncCluster():
            raise ZeroDivisionError
    assert caught.value.__notes__[0].startswith("Wherry cluster:\ntime in the cluster: ")


def test_what_is_logged_again_and_again_is_shown_once() -> None:
    refused = "WARNING  wherry.controllers.base:base.py:1 job: refused"
    own = "WARNING  app:app.py:1 mine"
    text = "\n".join(
        [refused, own, refused, own, "Traceback:", refused, "INFO     wherry.x:x.py:1 other", ""]
    )
    assert _folded(text).split("\n") == [
        f"{refused} (3 times)",
        own,
        own,
        "Traceback:",
        "INFO     wherry.x:x.py:1 other",
        "",
    ]


def test_a_file_of_outcomes_may_be_given_by_its_name(tmp_path: Path) -> None:
    settings = Settings(outcomes=["outcome.yaml"], stages=["kind: Stage\n", tmp_path / "s"])
    assert settings.outcomes == (Path("outcome.yaml"),)
    assert settings.stages == ("kind: Stage\n", tmp_path / "s")
    assert Settings(node_template=NODES).outcomes == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"enable_admission_plugins": ["PodSecurty"]},
            "enable_admission_plugins: PodSecurty is no admission plugin; did you mean PodSecurity",
        ),
        (
            {"disable_admission_plugins": ["x"]},
            "disable_admission_plugins: x is no admission plugin; use some",
        ),
        (
            {"enable_admission_plugins": ["Priority"], "disable_admission_plugins": ["Priority"]},
            "enable_admission_plugins, disable_admission_plugins: Priority is both enabled and disabled",
        ),
    ],
)
def test_a_misspelt_admission_plugin_is_told_by_its_setting(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Cluster(**given).start()


def test_a_snapshot_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"directory; Snapshot.save writes one: .*absent"):
        Snapshot.load(tmp_path / "absent")
