"""`wherry why` against a cluster: what it gathers, in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import run_main
from wherry.testing import Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(nodes=1) as found:
        assert found.kubeconfig  # from now on time is the machine's
        yield found


def pod(name: str, cpu: str = "1m") -> dict[str, object]:
    container = {"name": "c", "image": "example.com/app:1", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container]},
    }


def test_a_pod_that_fits_nowhere_one_that_runs_and_one_that_is_not_there(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.apply(pod("large", "1000"))
    cluster.apply(pod("fine"))
    cluster.wait(pod("large"), lambda obj: bool((obj.get("status") or {}).get("conditions")))
    cluster.wait(
        pod("fine"),
        lambda obj: any(
            c["type"] == "Ready" and c["status"] == "True" for c in obj["status"].get("conditions") or ()
        ),
    )
    at = ("--kubeconfig", str(cluster.kubeconfig))
    assert run_main(monkeypatch, "why", "pod/large", *at) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "default/large does not run yet"
    assert said[1].startswith("- scheduler: 0/1 nodes are available: 1 Insufficient cpu.")
    assert said[2] == "    try: wherry explain pod large -n default"
    assert run_main(monkeypatch, "why", "pod", "fine", *at, "-o", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"].startswith("default/fine runs and is ready on ")
    assert answer["reasons"] == []
    assert run_main(monkeypatch, "why", "pod", "none", *at) == 1
    assert capsys.readouterr().out.splitlines()[0] == "default/none is not there"


def test_a_pod_a_quota_keeps_from_being_made(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hard = {"hard": {"count/pods": "0"}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight"}})
    quota = {"name": "none", "namespace": "tight"}
    cluster.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota, "spec": hard})
    labels = {"app": "web"}
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "tight"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod("x")["spec"]},
        },
    }
    cluster.wait(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota},
        lambda obj: bool((obj.get("status") or {}).get("hard")),
    )
    cluster.apply(replicas)
    cluster.wait(replicas, lambda obj: bool((obj.get("status") or {}).get("conditions")))
    at = ("--kubeconfig", str(cluster.kubeconfig), "-n", "tight")
    assert run_main(monkeypatch, "why", "pod", "web-0", *at) == 1
    said = capsys.readouterr().out
    assert "- ReplicaSet web: " in said
    assert "exceeded quota: none" in said
    assert "try: raise the quota" in said


def test_the_name_of_a_workload_leads_to_its_pods(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"app": "shop"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod("x")["spec"]},
        },
    }
    cluster.apply(deployment)
    cluster.wait(deployment, lambda obj: (obj.get("status") or {}).get("readyReplicas") == 1)
    assert run_main(monkeypatch, "why", "pod", "shop", "--kubeconfig", str(cluster.kubeconfig)) == 1
    said = capsys.readouterr().out
    assert "there is no pod of that name; it is a deployment" in said
    assert "try: wherry explain deployment shop -n default; or wherry why pod shop-" in said
