"""`wherry exec --user` and `wherry cp`: which container is meant, and what is refused in one line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import run_main
from wherry.cli.copying import Owner
from wherry.cli.cp import Place, read_place
from wherry.cli.entering import pick_container, running, seen_by
from wherry.cli.exec import runc_arguments
from wherry.cli.failures import Failure
from wherry.cli.users import User
from wherry.cluster.lifecycle import Lifecycle
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.labels import POD_NAME, POD_NAMESPACE, POD_UID
from wherry.objects.meta import Object

ID = "a" * 64


def pod(**meta: object) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "ns", "uid": "u1", **meta},
        "spec": {"containers": [{"name": "app"}, {"name": "side"}], "initContainers": [{"name": "init"}]},
        "status": {
            "containerStatuses": [
                {"name": "app", "containerID": f"containerd://{'f' * 64}", "state": {"running": {}}}
            ]
        },
    }


def run(
    name: str = "app",
    phase: Phase = Phase.RUNNING,
    attempt: int = 0,
    uid: str = "u1",
    of: str = "ns/web",
    container_id: str = ID,
) -> Container:
    namespace, _, own = of.partition("/")
    return Container(
        id=container_id,
        sandbox_id="s",
        name=name,
        attempt=attempt,
        image="i",
        image_id="i",
        phase=phase,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        labels={POD_UID: uid, POD_NAMESPACE: namespace, POD_NAME: own},
    )


def test_which_container_is_meant() -> None:
    assert pick_container(pod(), "") == "app"
    assert pick_container(pod(annotations={"kubectl.kubernetes.io/default-container": "side"}), "") == "side"
    assert pick_container(pod(), "init") == "init"
    with pytest.raises(Failure, match="has no container 'x'; it has: app, side, init"):
        pick_container(pod(), "x")


def test_only_what_runs_is_entered() -> None:
    runs = [run(attempt=1), run(phase=Phase.EXITED, attempt=2), run("init", Phase.EXITED)]
    assert running(runs, pod(), "app") is runs[0]
    with pytest.raises(Failure, match="does not run; see: wherry why pod web -n ns"):
        running(runs, pod(), "init")


def test_whose_a_container_is_the_runtime_says() -> None:
    """A status and annotations can be written by others than the node."""
    others = run(of="victims/db", uid="u2", container_id="f" * 64)
    with pytest.raises(Failure, match="does not run"):
        running([others], pod(), "app")
    with pytest.raises(Failure, match="does not run"):
        running([others], pod(annotations={"kubernetes.io/config.mirror": "u2"}), "app")
    with pytest.raises(Failure, match="does not run"):
        running([run(uid="before")], pod(), "app")
    static = run(uid="u3")
    assert running([static], pod(annotations={"kubernetes.io/config.mirror": "u3"}), "app") is static


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        yield process


def test_what_a_process_sees_stays_what_it_is(child: subprocess.Popen[bytes]) -> None:
    with seen_by(child.pid, lambda: {child.pid}) as inside:
        assert inside.owner == Owner(os.getuid(), os.getgid())
        child.kill()
        child.wait()
        assert inside.root.stat().st_ino == Path("/").stat().st_ino, "whoever has its number now"


def test_a_number_that_went_to_another_process_is_not_entered(child: subprocess.Popen[bytes]) -> None:
    with pytest.raises(ProcessLookupError), seen_by(os.getpid(), lambda: {child.pid}):
        pytest.fail("the container's process ended, and its number is this one's")

    def ends_when_asked() -> set[int]:
        child.kill()
        child.wait()
        return {child.pid}

    with pytest.raises(ProcessLookupError), seen_by(child.pid, ends_when_asked):
        pytest.fail("what was opened is not of the process that has its number now")
    with pytest.raises(ProcessLookupError), seen_by(child.pid, lambda: {child.pid}):
        pytest.fail("there is no such process")


def test_how_runc_is_called() -> None:
    called = runc_arguments(Path("/s"), ID, User(1, 2, (3, 4)), ["sh", "-c", "id"], tty=True)
    assert called[:7] == ["--root", "/s", "--log", "/dev/null", "exec", "--user", "1:2"]
    groups = ["--additional-gids", "3", "--additional-gids", "4"]
    assert called[7:] == [*groups, "--tty", ID, "sh", "-c", "id"]
    assert "--tty" not in runc_arguments(Path("/s"), ID, User(0, 0), ["id"], tty=False)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("web:/a", Place("", "web", "/a")),
        ("ns/web:/a", Place("ns", "web", "/a")),
        ("a.txt", Place("", "", "a.txt")),
        ("./web:/a", Place("", "", "./web:/a")),
        ("/x/web:/a", Place("", "", "/x/web:/a")),
        ("a/b/c:d", Place("", "", "a/b/c:d")),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert read_place(text) == place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("exec",), "say where and what"),
        (("exec", "web"), "say where and what"),
        (("exec", "web", "--", "id"), "say as whom with --user"),
        (("exec", "--user", "-x", "web", "--", "id"), "--user -x: not a user"),
        (("exec", "--user", "0:0:0", "web", "--", "id"), "not a user"),
        (("cp", "a"), "name one path here and one in a pod"),
        (("cp", "a", "b"), "name one path here and one in a pod"),
        (("cp", "web:/a", "web:/b"), "name one path here and one in a pod"),
        (("cp", "a", "web:"), "say where in pod web"),
        (("why",), "name the pod: wherry why pod NAME"),
        (("why", "service/web"), "name the pod"),
        (("why", "crash"), "did you mean: wherry why pod crash?"),
        (("why", "deployment", "web"), "of a deployment: wherry explain deployment web"),
        (("why", "deploy/web"), "of a deployment: wherry explain deployment web"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, *arguments) == 2
    _, err = capsys.readouterr()
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("exec", "--user", "0", "web", "--", "id"), ("cp", "a", "web:/a")])
def test_only_root_enters(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run_main(monkeypatch, *arguments) == 77
    assert "enters containers as this machine's root; run it again" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("exec", "--user", "0", "web", "--", "id"), ("cp", "a", "web:/a"), ("why", "pod", "web")]
)
def test_a_stopped_cluster(
    arguments: tuple[str, ...],
    stopped: Lifecycle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert run_main(monkeypatch, *arguments) == 3
    assert "is stopped; start it with: wherry start" in capsys.readouterr().err
