"""DELETE and DELETE of collections: what is answered, preconditions, policies, finalizers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import DEPLOYMENTS, MAPS, PODS, deployment, refusal
from tests.apiserver.rig import Rig, account, config_map, pod

HELD = ["example.com/hold"]


def held(name: str = "a") -> dict[str, Any]:
    made = config_map(name)
    made["metadata"]["finalizers"] = list(HELD)
    return made


async def test_a_status_with_details(rig: Rig) -> None:
    _, stored, _ = await rig.http("POST", DEPLOYMENTS, deployment())
    status, answer, _ = await rig.http("DELETE", f"{DEPLOYMENTS}/web")
    assert status == 200
    assert answer == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": "web",
            "group": "apps",
            "kind": "deployments",
            "uid": stored["metadata"]["uid"],
        },
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PODS, pod("a")),
        ("/api/v1/namespaces/default/serviceaccounts", account(name="a")),
        (
            "/apis/storage.k8s.io/v1/storageclasses",
            {"metadata": {"name": "a"}, "provisioner": "example.com/x"},
        ),
        ("/api/v1/namespaces/default/resourcequotas", {"metadata": {"name": "a"}, "spec": {}}),
        (
            "/api/v1/namespaces/default/podtemplates",
            {
                "metadata": {"name": "a"},
                "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
            },
        ),
    ],
)
async def test_kinds_that_answer_with_the_object(rig: Rig, path: str, body: Any) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    made, stored, _ = await rig.http("POST", path, body)
    assert made == 201, stored
    status, answer, _ = await rig.http("DELETE", f"{path}/a")
    assert status == 200
    assert answer["metadata"]["uid"] == stored["metadata"]["uid"]
    assert (await rig.http("GET", f"{path}/a"))[0] == 404


async def test_preconditions(rig: Rig) -> None:
    _, stored, _ = await rig.http("POST", DEPLOYMENTS, deployment())
    meta = stored["metadata"]
    found = await refusal(rig, "DELETE", f"{DEPLOYMENTS}/web", {"preconditions": {"uid": "other"}})
    assert found == (
        409,
        "Conflict",
        (
            f'Operation cannot be fulfilled on Deployment.apps "web": the UID in the '
            f"precondition (other) does not "
            f"match the UID in record ({meta['uid']}). The object might have been deleted and then recreated"
        ),
    )
    found = await refusal(rig, "DELETE", f"{DEPLOYMENTS}/web", {"preconditions": {"resourceVersion": "1"}})
    assert found == (
        409,
        "Conflict",
        (
            'Operation cannot be fulfilled on Deployment.apps "web": the ResourceVersion in '
            "the precondition (1) "
            f"does not match the ResourceVersion in record ({meta['resourceVersion']}). The "
            f"object might have been "
            "modified"
        ),
    )
    both = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert (await rig.http("DELETE", f"{DEPLOYMENTS}/web", {"preconditions": both}))[0] == 200


@pytest.mark.parametrize(
    ("options", "finalizers", "status"),
    [
        ({"propagationPolicy": "Foreground"}, ["foregroundDeletion"], 200),
        ({"propagationPolicy": "Orphan"}, ["orphan"], 200),
        ({"orphanDependents": True}, ["orphan"], 200),
    ],
)
@pytest.mark.parametrize("in_query", [False, True])
async def test_policies(
    rig: Rig, options: dict[str, Any], finalizers: list[str], status: int, in_query: bool
) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    query = "&".join(
        f"{name}={str(value).lower() if value is True else value}" for name, value in options.items()
    )
    path = f"{DEPLOYMENTS}/web" + (f"?{query}" if in_query else "")
    found, answer, _ = await rig.http("DELETE", path, None if in_query else options)
    assert (found, answer["kind"]) == (status, "Deployment")
    assert answer["metadata"]["finalizers"] == finalizers
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 0
    assert answer["metadata"]["generation"] == 2


@pytest.mark.parametrize("options", [{"propagationPolicy": "Background"}, {"orphanDependents": False}, None])
async def test_in_the_background_it_is_gone_at_once(rig: Rig, options: Any) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    status, answer, _ = await rig.http("DELETE", f"{DEPLOYMENTS}/web", options)
    assert (status, answer["status"]) == (200, "Success")


async def test_accepted_but_not_yet_gone(rig: Rig) -> None:
    await rig.http("POST", MAPS, held())
    status, answer, _ = await rig.http("DELETE", f"{MAPS}/a", {"orphanDependents": False})
    assert (status, answer["kind"]) == (202, "ConfigMap")
    assert (await rig.http("DELETE", f"{MAPS}/a"))[0] == 200


async def test_a_finalizer_holds(rig: Rig) -> None:
    _, _stored, _ = await rig.http("POST", MAPS, held())
    status, answer, _ = await rig.http("DELETE", f"{MAPS}/a")
    assert (status, answer["kind"]) == (200, "ConfigMap")
    meta = answer["metadata"]
    assert meta["deletionTimestamp"]
    assert meta["deletionGracePeriodSeconds"] == 0
    again_status, again, _ = await rig.http("DELETE", f"{MAPS}/a")
    assert (again_status, again["metadata"]["resourceVersion"]) == (200, meta["resourceVersion"])
    body = {"metadata": {"finalizers": None}}
    headers = {"Content-Type": "application/merge-patch+json"}
    status, _, _ = await rig.http("PATCH", f"{MAPS}/a", body, headers=headers)
    assert status == 200
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"gracePeriodSeconds": "x"}', "json: cannot unmarshal string into Go struct field"),
        ("{", "unexpected end of JSON input"),
    ],
)
async def test_unreadable_options(rig: Rig, body: str, message: str) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    code, _reason, found = await refusal(rig, "DELETE", f"{MAPS}/a", body, content_type="application/json")
    assert code in (400, 500)
    assert message in found


async def test_options_of_other_groups(rig: Rig) -> None:
    for number, version in enumerate(("v1", "apps/v1", "policy/v1", "meta.k8s.io/v1")):
        await rig.http("POST", MAPS, config_map(f"a{number}"))
        options = {"kind": "DeleteOptions", "apiVersion": version, "gracePeriodSeconds": 0}
        assert (await rig.http("DELETE", f"{MAPS}/a{number}", options))[0] == 200


async def test_grace_of_a_scheduled_pod(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    await rig.http("POST", PODS, pod("a", nodeName="n1"))
    status, answer, _ = await rig.http("DELETE", f"{PODS}/a?gracePeriodSeconds=7")
    assert (status, answer["metadata"]["deletionGracePeriodSeconds"]) == (200, 7)
    status, answer, _ = await rig.http("DELETE", f"{PODS}/a?gracePeriodSeconds=20")
    assert (status, answer["metadata"]["deletionGracePeriodSeconds"]) == (200, 7)
    status, answer, _ = await rig.http("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 2})
    assert (status, answer["metadata"]["deletionGracePeriodSeconds"]) == (200, 2)
    status, answer, _ = await rig.http("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 0})
    assert (status, answer["kind"]) == (200, "Pod")
    assert (await rig.http("GET", f"{PODS}/a"))[0] == 404


async def test_collections(rig: Rig) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        made = config_map(name)
        made["metadata"]["labels"] = {"l": label}
        await rig.http("POST", MAPS, made)
    await rig.http("POST", MAPS, held("d"))
    status, answer, _ = await rig.http("DELETE", f"{MAPS}?labelSelector=l%3Dx")
    assert (status, answer["kind"]) == (200, "ConfigMapList")
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b"]
    assert answer["metadata"]["resourceVersion"]
    status, answer, _ = await rig.http("DELETE", f"{MAPS}?fieldSelector=metadata.name%3Dc")
    assert [item["metadata"]["name"] for item in answer["items"]] == ["c"]
    _, left, _ = await rig.http("GET", MAPS)
    assert [item["metadata"]["name"] for item in left["items"]] == ["d"]
    await rig.http("DELETE", MAPS)
    _, left, _ = await rig.http("GET", MAPS)
    assert left["items"][0]["metadata"]["deletionTimestamp"]


async def test_collections_of_all_namespaces_are_not_deleted(rig: Rig) -> None:
    code, reason, _ = await refusal(rig, "DELETE", "/api/v1/configmaps")
    assert (code, reason) == (405, "MethodNotAllowed")


async def test_what_is_not_there(rig: Rig) -> None:
    assert await refusal(rig, "DELETE", f"{MAPS}/a") == (404, "NotFound", 'configmaps "a" not found')
    status, answer, _ = await rig.http("DELETE", MAPS)
    assert (status, answer["items"]) == (200, [])


JOBS = "/apis/batch/v1/namespaces/default/jobs"
CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"


def job() -> dict[str, Any]:
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}


def replication_controller() -> dict[str, Any]:
    made = deployment()
    template = made["spec"]["template"]
    return {"metadata": {"name": "web"}, "spec": {"template": template}}


@pytest.mark.parametrize(("path", "made"), [(JOBS, job()), (CONTROLLERS, replication_controller())])
@pytest.mark.parametrize("query", ["", "?propagationPolicy=Background"])
async def test_kinds_older_than_the_garbage_collector_leave_their_pods(
    rig: Rig, path: str, made: dict[str, Any], query: str
) -> None:
    """DefaultGarbageCollectionPolicy of pkg/registry/{batch/job,core/replicationcontroller}/strategy.go."""
    created, answer, _ = await rig.http("POST", path, made)
    assert created == 201, answer
    await rig.http("DELETE", f"{path}/web{query}")
    status, answer, _ = await rig.http("GET", f"{path}/web")
    if query:
        assert status == 404
    else:
        assert answer["metadata"]["finalizers"] == ["orphan"]
