"""The examples of docs/extending.md, installed and at work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extending.packages import installed
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.testing import Cluster

TEXT = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
BLOCKS = dict(re.findall(r"^```\w+ title=(\S+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    place = tmp_path_factory.mktemp("site")
    with (
        installed(place, BLOCKS["pyproject.toml"], my_package=BLOCKS["my_package.py"]),
        Cluster(nodes=3) as found,
    ):
        found.client.patch("node", "node-0", {"metadata": {"labels": {"example.com/quiet": ""}}})
        found.client.patch("node", "node-1", {"metadata": {"labels": {"example.com/speed": "fast"}}})
        yield found


def pod(name: str, tier: str = "", **spec: Any) -> Object:
    annotations = {"example.com/tier": tier} if tier else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def where(cluster: Cluster, name: str) -> str:
    found: str = cluster.client.get("pod", name, "default")["spec"].get("nodeName", "")
    return found


def test_the_plug_in_scores(cluster: Cluster) -> None:
    for number in range(3):
        cluster.apply(pod(f"any-{number}"))
        assert where(cluster, f"any-{number}") == "node-1"


def test_the_plug_in_filters_and_is_explained(cluster: Cluster) -> None:
    only = {"kubernetes.io/hostname": "node-0"}
    cluster.apply(pod("batch", "batch", nodeSelector=only))
    assert where(cluster, "batch") == ""
    status = cluster.client.request("GET", "/apis/wherry.dev/v1alpha1/namespaces/default/poddecisions/batch")[
        "status"
    ]
    assert ("Quiet", ["node(s) were quiet"]) in [(g["plugin"], g["reasons"]) for g in status["filtered"]]
    cluster.apply(pod("service", "service", nodeSelector=only))
    assert where(cluster, "service") == "node-0"


def test_a_change_of_the_node_brings_the_pod_back(cluster: Cluster) -> None:
    only = {"kubernetes.io/hostname": "node-2"}
    cluster.client.patch("node", "node-2", {"metadata": {"labels": {"example.com/quiet": ""}}})
    cluster.apply(pod("patient", "batch", nodeSelector=only))
    assert where(cluster, "patient") == ""
    cluster.client.patch("node", "node-2", {"metadata": {"labels": {"example.com/quiet": None}}})
    cluster.wait("pod/patient", lambda found: found["spec"].get("nodeName") == "node-2", namespace="default")


def test_the_controller(cluster: Cluster) -> None:
    cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-red"}})
    assert cluster.client.get("namespace", "team-red")["metadata"]["labels"]["team"] == "red"
    cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "plain"}})
    assert "team" not in cluster.client.get("namespace", "plain")["metadata"]["labels"]
    assert any(event.message == "It is of the team red" for event in cluster.events())


def test_it_may_do_what_it_declares_and_nothing_else(cluster: Cluster) -> None:
    role = cluster.client.get("clusterrole", "wherry:controller:team-labels")
    assert {"verbs": ["patch"], "apiGroups": [""], "resources": ["namespaces"]} in role["rules"]
    assert cluster.client.get("serviceaccount", "installed-team-labels", "kube-system")
    acting = cluster.as_user(
        "system:serviceaccount:kube-system:installed-team-labels",
        ["system:serviceaccounts", "system:authenticated"],
    )
    with pytest.raises(ApiError) as refused:
        acting.delete("namespace", "team-red")
    assert refused.value.code == 403
