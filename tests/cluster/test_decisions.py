"""`wherry.dev/v1alpha1`: decisions through the API, with discovery, rights, and without a scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.api.decisions.pod_decisions import POD_DECISIONS
from wherry.cluster.assembly import _served_beside
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.testing import Cluster

GROUP = "/apis/wherry.dev/v1alpha1"
DECISIONS = f"{GROUP}/namespaces/default/poddecisions"
REVIEWS = f"{GROUP}/namespaces/default/poddecisionreviews"


def pod(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def review(**spec: Any) -> Object:
    template = {"metadata": {"name": "asked"}, "spec": pod("asked", **spec)["spec"]}
    return {"apiVersion": "wherry.dev/v1alpha1", "kind": "PodDecisionReview", "spec": {"template": template}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Three nodes, on one of which nothing runs that does not tolerate it."""
    with Cluster(nodes=3) as found:
        taint = {"spec": {"taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]}}
        found.client.patch("node", "node-2", taint)
        yield found


def decision(cluster: Cluster, name: str) -> Object:
    return cluster.client.request("GET", f"{DECISIONS}/{name}")


def ask(cluster: Cluster, body: Object) -> Object:
    return cluster.client.request("POST", REVIEWS, body)


def test_a_pod_that_was_placed(cluster: Cluster) -> None:
    cluster.apply(pod("placed"))
    found = decision(cluster, "placed")
    stored = cluster.client.get("pod", "placed", "default")
    assert found["metadata"]["uid"] == stored["metadata"]["uid"]
    status = found["status"]
    assert status["basis"] == "Recorded"
    assert status["nodeName"] == stored["spec"]["nodeName"]
    assert [(group["plugin"], group["nodes"]) for group in status["filtered"]] == [
        ("TaintToleration", ["node-2"])
    ]
    assert status["scored"][0]["count"] == 2
    assert "changes" not in status


def test_a_pod_that_fits_nowhere_says_what_its_event_says(cluster: Cluster) -> None:
    cluster.apply(pod("waiting", nodeSelector={"disk": "ssd"}))
    status = decision(cluster, "waiting")["status"]
    condition = cluster.client.get("pod", "waiting", "default")["status"]["conditions"][0]
    assert condition["message"].startswith(status["message"])
    assert status["basis"] == "Recorded"
    assert [change["count"] for change in status["changes"]] == [2]


def test_a_pod_whose_decision_is_forgotten_is_looked_at_anew(cluster: Cluster) -> None:
    cluster.apply(pod("here", nodeName="node-1"))
    status = decision(cluster, "here")["status"]
    assert (status["basis"], status["nodeName"]) == ("Evaluated", "node-1")
    assert status["feasible"] == 2


def test_a_gated_pod_and_one_of_another_scheduler(cluster: Cluster) -> None:
    cluster.apply(pod("gated", schedulingGates=[{"name": "example.com/wait"}]))
    status = decision(cluster, "gated")["status"]
    gates = "Scheduling is blocked due to non-empty scheduling gates: example.com/wait"
    assert (status["nodeName"], status["message"]) == ("", gates)
    cluster.apply(pod("foreign", schedulerName="other"))
    status = decision(cluster, "foreign")["status"]
    assert status["message"] == "waits for the scheduler other, which does not run here"


def test_a_pod_that_waits_for_its_claim_is_not_tried_yet(cluster: Cluster) -> None:
    claims = [{"name": "gpu", "resourceClaimName": "gone"}]
    cluster.apply(pod("claiming", resourceClaims=claims))
    status = decision(cluster, "claiming")["status"]
    assert status["nodeName"] == ""
    assert "gone" in status["message"]


def test_what_if(cluster: Cluster) -> None:
    before = {item["metadata"]["name"] for item in cluster.client.list("pods", "default")}
    found = ask(cluster, review(tolerations=[{"key": "dedicated", "operator": "Exists"}]))
    assert found["kind"] == "PodDecisionReview"
    assert (found["status"]["basis"], found["status"]["feasible"]) == ("Evaluated", 3)
    status = ask(cluster, review(nodeName="node-2"))["status"]
    assert status["nodeName"] == "node-2"
    assert {item["metadata"]["name"] for item in cluster.client.list("pods", "default")} == before


def test_what_if_of_what_could_not_be_created(cluster: Cluster) -> None:
    with pytest.raises(ApiError) as refused:
        ask(cluster, review(containers=[]))
    assert refused.value.code == 422
    with pytest.raises(ApiError) as refused:
        ask(cluster, review(priorityClassName="gone"))
    assert "no PriorityClass with name gone was found" in refused.value.message


def test_it_is_discovered(cluster: Cluster) -> None:
    found = cluster.client.request("GET", GROUP)
    assert {(one["name"], tuple(one["verbs"])) for one in found["resources"]} == {
        ("poddecisions", ("get",)),
        ("poddecisionreviews", ("create",)),
    }
    document = cluster.client.request("GET", "/openapi/v3/apis/wherry.dev/v1alpha1")
    assert "dev.wherry.v1alpha1.PodDecision" in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("switches", "is_served"), [({"api/alpha": False}, False), ({"api/beta": False}, True)]
)
def test_it_can_be_turned_off_with_all_of_alpha(switches: dict[str, bool], is_served: bool) -> None:
    assert bool(_served_beside(switches)) is is_served


def test_kubectl_shows_a_row(cluster: Cluster) -> None:
    cluster.apply(pod("row", nodeName="node-0"))
    row = POD_DECISIONS.strategy.cells(decision(cluster, "row"), datetime.now(UTC))
    assert row == ["row", "node-0", "2/3", ""]
    assert len(row) == len(POD_DECISIONS.columns)


def test_whoever_may_read_pods_may_not_read_decisions(cluster: Cluster) -> None:
    cluster.apply(pod("secretive"))
    grant(cluster, "viewer", "view")
    viewer = cluster.as_user("viewer")
    assert viewer.get("pod", "secretive", "default")
    for method, path, body in (("GET", f"{DECISIONS}/secretive", None), ("POST", REVIEWS, review())):
        with pytest.raises(ApiError) as refused:
            viewer.request(method, path, body)
        assert refused.value.code == 403
    grant(cluster, "viewer", "wherry:pod-decision-viewer")
    assert viewer.request("GET", f"{DECISIONS}/secretive")["status"]
    with pytest.raises(ApiError) as refused:  # what if they created one: they may not
        viewer.request("POST", REVIEWS, review())
    assert 'cannot create resource "pods"' in refused.value.message
    grant(cluster, "viewer", "edit")
    assert viewer.request("POST", REVIEWS, review())["status"]["feasible"] == 2


def grant(cluster: Cluster, user: str, role: str) -> None:
    name = f"{user}-{role.replace(':', '-')}"
    cluster.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": "default"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }
    )


def test_of_no_pod(cluster: Cluster) -> None:
    with pytest.raises(ApiError) as refused:
        decision(cluster, "gone")
    assert (refused.value.code, refused.value.message) == (404, 'pods "gone" not found')


def test_without_a_scheduler() -> None:
    with Cluster(scheduler=False) as found:
        found.apply(pod("web"))
        with pytest.raises(ApiError) as refused:
            decision(found, "web")
        assert refused.value.code == 404


def test_a_scheduler_that_waits_for_the_first_pod_answers_all_the_same() -> None:
    with Cluster(nodes=1) as found:
        assert ask(found, review())["status"]["nodeName"] == "node-0"


def test_a_template_is_of_no_version(cluster: Cluster) -> None:
    asked = review()
    asked["spec"]["template"]["metadata"]["resourceVersion"] = "7"
    with pytest.raises(
        ApiError, match=r"^spec\.template\.metadata\.resourceVersion: must not be set"
    ) as refused:
        ask(cluster, asked)
    assert refused.value.code == 400
