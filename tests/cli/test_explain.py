"""`wherry explain`, and every example of docs/explain.md as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import WHERRY, run_main
from tests.docs.simulated import as_told
from wherry.cli.asking import pod_names
from wherry.cli.decisions import in_words
from wherry.cli.pod_templates import templates_in
from wherry.objects.meta import Object
from wherry.testing import Cluster

TEXT = (Path(__file__).parents[2] / "docs" / "explain.md").read_text()
FILES = dict(re.findall(r"^```yaml title=(\S+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
CONSOLE = re.findall(r"^```console\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with as_told(TEXT) as found:
        assert found.kubeconfig  # from now on time is the machine's
        yield found


def typed(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with what it printed."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_the_page(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    shown = 0
    for command, printed in (one for block in CONSOLE for one in typed(block)):
        words = shlex.split(command)
        if words[:3] == ["kubectl", "apply", "-f"]:
            cluster.apply(Path(words[3]))
            [pod] = yaml.safe_load_all(Path(words[3]).read_text())
            cluster.wait(pod, lambda obj: bool((obj.get("status") or {}).get("conditions")))
        elif words[:3] == ["kubectl", "taint", "node"]:
            key, _, rest = words[4].partition("=")
            value, _, effect = rest.partition(":")
            taint = {"key": key, "value": value, "effect": effect}
            cluster.client.patch("node", words[3], {"spec": {"taints": [taint]}})
        else:
            assert words[:2] == ["wherry", "explain"]
            assert run_main(monkeypatch, *words[1:], "--kubeconfig", str(cluster.kubeconfig)) == 0
            assert capsys.readouterr().out == printed, command
            shown += 1
    assert shown == 3


def test_json(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two = tmp_path / "two.yaml"
    two.write_text(f"{FILES['web.yaml']}---\n{FILES['db.yaml']}")
    at = ("--kubeconfig", str(cluster.kubeconfig), "-o", "json")
    assert run_main(monkeypatch, "explain", "-f", str(two), *at) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["kind"] for answer in answers] == ["PodDecisionReview"] * 2
    assert run_main(monkeypatch, "explain", "-f", str(two), "-n", "nowhere", *at) == 1
    assert 'namespaces "nowhere" not found' in capsys.readouterr().err


@pytest.mark.parametrize("words", [("deployment", "shop"), ("deploy/shop",)])
def test_a_workload_that_is_there(
    words: tuple[str, ...],
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    template = yaml.safe_load(FILES["web.yaml"])
    labels = {"app": "shop"}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
            },
        }
    )
    at = ("--kubeconfig", str(cluster.kubeconfig))
    assert run_main(monkeypatch, "explain", *words, *at) == 0
    assert capsys.readouterr().out.startswith("default/shop would go ")
    assert run_main(monkeypatch, "explain", "deployment", "none", *at) == 1
    assert 'deployments.apps "none" not found' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name what is to be explained: wherry explain pod NAME, or wherry explain -f FILE"),
        (("node", "a"), "name what is to be explained"),
        (("pod",), "name what is to be explained"),
        (("pod", "a", "-f", "x.yaml"), "x.yaml"),
        (("-f", "empty.yaml"), "empty.yaml: nothing in it is a pod or has a template of one"),
        (("-f", "broken.yaml"), "broken.yaml: "),
        (("pod", "a", "--kubeconfig", "gone"), "gone: no such file; check --kubeconfig"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.yaml").write_text("kind: Service\nspec: {}\n")
    Path("broken.yaml").write_text("a: [\n")
    Path("x.yaml").write_text(FILES["web.yaml"])
    assert run_main(monkeypatch, "explain", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_templates_of_workloads() -> None:
    job = {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}}
    texts = [
        yaml.safe_dump(one)
        for one in (job, {"kind": "ConfigMap"}, {"kind": "Pod", "metadata": {"name": "p"}})
    ]
    found = list(templates_in("---\n".join(texts)))
    assert [one["template"]["metadata"]["name"] for one in found] == ["", "p"]


def test_what_completion_offers(cluster: Cluster) -> None:
    import typer

    cluster.apply(FILES["web.yaml"])
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    context.params = {"kubeconfig": cluster.kubeconfig}
    assert pod_names(context, "w") == ["web"]
    assert pod_names(context, "x") == []
    context.params = {"kubeconfig": Path("gone")}
    assert pod_names(context, "") == []


@pytest.mark.parametrize(
    ("status", "last"),
    [
        ({"nodes": 1, "feasible": 0, "fitsNow": True}, "It fits by now."),
        ({"nodes": 1, "feasible": 0, "changes": []}, "No change of this pod alone would make it fit."),
        ({"nodes": 1, "nominatedNodeName": "a"}, "  Room is being made for it on a."),
    ],
)
def test_words(status: dict[str, object], last: str) -> None:
    decision = {"kind": "PodDecision", "metadata": {"name": "web", "namespace": "default"}, "status": status}
    assert list(in_words(decision))[-1] == last


def ran(*arguments: str) -> str:
    """What the command prints, as a process of its own: here the loop would have to outlive its watches."""
    command = [*WHERRY, "explain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_an_api_server_whose_scheduler_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("db.yaml").write_text(FILES["db.yaml"])
    head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
    Path("c.yaml").write_text(f"{head}profiles: [{{schedulerName: packed}}]\n")
    with Cluster(nodes=2, scheduler=False) as c:
        lost: Object = yaml.safe_load(FILES["db.yaml"])
        lost["metadata"]["name"], lost["spec"]["nodeSelector"] = "lost", {"disk": "none"}
        c.apply(lost)
        at = ("--kubeconfig", str(c.kubeconfig))
        told = ran("pod", "lost", *at)
        assert told.startswith("default/lost goes nowhere (as the cluster is now)\n")
        assert "node(s) didn't match Pod's node affinity/selector" in told
        assert ran("-f", "db.yaml", *at).startswith("default/db would go to node-0, of 2 of 2 nodes")
        told = ran("pod", "lost", "--config", "c.yaml", *at)
        assert "waits for the scheduler default-scheduler" in told
        assert run_main(monkeypatch, "explain", "pod", "none", *at) == 1
        assert 'pods "none" not found' in capsys.readouterr().err
        for name, said in (("gone.yaml", "gone.yaml: No such file"), ("db.yaml", "--config: db.yaml: ")):
            assert run_main(monkeypatch, "explain", "pod", "lost", "--config", name, *at) == 2
            assert said in capsys.readouterr().err
