"""GET and LIST: versions, limits, continue tokens, selectors; what upstream says of wrong ones."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.apiserver.conformance.asking import MAPS, PODS, failure, refusal
from tests.apiserver.rig import Rig, config_map

INVALID = 'ListOptions.meta.k8s.io "" is invalid: '
FORBIDDEN = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden"
NOT_A_NUMBER = (
    'invalid resource version: resourceVersion: Invalid value: "x": '
    'strconv.ParseUint: parsing "x": invalid syntax'
)


async def fill(rig: Rig, *names: str) -> None:
    for name in names:
        await rig.http("POST", MAPS, config_map(name))


def token(**values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("resourceVersion=x", (400, "BadRequest", NOT_A_NUMBER)),
        ("limit=x", (400, "BadRequest", 'strconv.ParseInt: parsing "x": invalid syntax')),
        (
            "resourceVersionMatch=Exact",
            (422, "Invalid", f"{INVALID}{FORBIDDEN} unless resourceVersion is provided"),
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            (
                422,
                "Invalid",
                (
                    f'{INVALID}resourceVersionMatch: Forbidden: resourceVersionMatch "exact" '
                    f"is forbidden for "
                    'resourceVersion "0"'
                ),
            ),
        ),
        (
            "resourceVersionMatch=Some&resourceVersion=1",
            (
                422,
                "Invalid",
                (
                    f'{INVALID}resourceVersionMatch: Unsupported value: "Some": supported values: "Exact", '
                    '"NotOlderThan", ""'
                ),
            ),
        ),
        (
            "resourceVersionMatch=Exact&continue=x&sendInitialEvents=true",
            (
                422,
                "Invalid",
                (
                    f"{INVALID}[{FORBIDDEN} unless resourceVersion is provided, {FORBIDDEN} when continue is "
                    "provided, sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]"
                ),
            ),
        ),
        (
            "continue=x",
            (400, "BadRequest", "invalid continue token: continue key is not valid"),
        ),
        (
            f"continue={token(v='meta.k8s.io/v1', rv=5, start='a')}&resourceVersion=3",
            (400, "BadRequest", "specifying resource version is not allowed when using continue"),
        ),
        ("labelSelector=a+in", (400, "BadRequest", "unable to parse requirement: ")),
        (
            "fieldSelector=data",
            (400, "BadRequest", "invalid selector: 'data'; can't understand 'data'"),
        ),
    ],
)
async def test_refused_lists(rig: Rig, query: str, expected: tuple[int, str, str]) -> None:
    code, reason, message = await refusal(rig, "GET", f"{MAPS}?{query}")
    assert (code, reason) == expected[:2]
    assert message.startswith(expected[2])


@pytest.mark.parametrize("path", [MAPS, f"{MAPS}/a"])
async def test_a_version_from_the_future(rig: Rig, path: str) -> None:
    await fill(rig, "a")
    current = rig.store.revision
    status, answer, headers = await rig.http("GET", f"{path}?resourceVersion=999999")
    assert status == 504
    assert failure(answer) == (
        504,
        "Timeout",
        f"Timeout: Too large resource version: 999999, current: {current}",
    )
    assert answer["details"] == {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    assert headers["Retry-After"] == "1"


FIELD_ERRORS = [
    (MAPS, '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    (PODS, "field label not supported: spec.x"),
    ("/api/v1/nodes", "field label not supported: spec.x"),
    ("/api/v1/namespaces", "field label not supported: spec.x"),
    ("/api/v1/events", "field label not supported: spec.x"),
    ("/api/v1/secrets", "field label not supported: spec.x"),
    ("/api/v1/services", "field label not supported: spec.x"),
    ("/api/v1/replicationcontrollers", "field label not supported: spec.x"),
    ("/apis/batch/v1/jobs", 'field label "spec.x" not supported for Job'),
    (
        "/apis/apps/v1/deployments",
        '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ),
    ("/apis/certificates.k8s.io/v1/certificatesigningrequests", "field label not supported: spec.x"),
    ("/apis/events.k8s.io/v1/events", "field label not supported: spec.x"),
    (
        "/apis/resource.k8s.io/v1/resourceslices",
        "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x",
    ),
]


@pytest.mark.parametrize(("path", "message"), FIELD_ERRORS)
@pytest.mark.parametrize("watch", ["", "&watch=true"])
async def test_fields_nobody_can_select(rig: Rig, path: str, message: str, watch: str) -> None:
    found = await refusal(rig, "GET", f"{path}?fieldSelector=spec.x%3D1{watch}")
    assert found == (400, "BadRequest", message)


SELECTABLE = {
    "/api/v1/pods": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    },
    "/api/v1/nodes": {"spec.unschedulable"},
    "/api/v1/namespaces": {"status.phase"},
    "/api/v1/secrets": {"type"},
    "/api/v1/services": {"spec.clusterIP", "spec.type"},
    "/api/v1/replicationcontrollers": {"status.replicas"},
    "/api/v1/events": {
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "/apis/events.k8s.io/v1/events": {
        "regarding.kind",
        "regarding.namespace",
        "regarding.name",
        "regarding.uid",
        "regarding.apiVersion",
        "regarding.resourceVersion",
        "regarding.fieldPath",
        "reason",
        "reportingController",
        "type",
    },
    "/apis/batch/v1/jobs": {"status.successful"},
    "/apis/certificates.k8s.io/v1/certificatesigningrequests": {"spec.signerName"},
    "/apis/resource.k8s.io/v1/resourceslices": {"spec.nodeName", "spec.driver"},
}


@pytest.mark.parametrize("path", SELECTABLE)
async def test_fields_that_can_be_selected(rig: Rig, path: str) -> None:
    for field in SELECTABLE[path] | {"metadata.name"}:
        status, answer, _ = await rig.http("GET", f"{path}?fieldSelector={field}!%3Dnothing-at-all")
        assert status == 200, (field, answer)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier+in+(front,back)", ["a", "b"]),
        ("tier+notin+(front)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier%3D%3Dfront", ["a"]),
        ("tier!%3Dfront", ["b", "c"]),
        ("tier,rank%3E5", ["b"]),
        ("rank%3C5", ["a"]),
        ("tier+in+(front),rank%3D1", ["a"]),
        ("tier%3D", []),
    ],
)
async def test_label_selectors(rig: Rig, selector: str, names: list[str]) -> None:
    for name, labels in (
        ("a", {"tier": "front", "rank": "1"}),
        ("b", {"tier": "back", "rank": "9"}),
        ("c", {}),
    ):
        made = config_map(name)
        made["metadata"]["labels"] = labels
        await rig.http("POST", MAPS, made)
    _, answer, _ = await rig.http("GET", f"{MAPS}?labelSelector={selector}")
    assert [item["metadata"]["name"] for item in answer["items"]] == names


async def test_pages(rig: Rig) -> None:
    await fill(rig, "a", "b", "c", "d", "e")
    _, first, _ = await rig.http("GET", f"{MAPS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    await rig.http("DELETE", f"{MAPS}/d")
    await fill(rig, "bb")
    goes_on = first["metadata"]["continue"]
    _, second, _ = await rig.http("GET", f"{MAPS}?limit=2&continue={goes_on}")
    assert [item["metadata"]["name"] for item in second["items"]] == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert second["metadata"]["remainingItemCount"] == 1
    goes_on = second["metadata"]["continue"]
    _, last, _ = await rig.http("GET", f"{MAPS}?limit=2&continue={goes_on}")
    assert [item["metadata"]["name"] for item in last["items"]] == ["e"]
    assert last["metadata"].keys() == {"resourceVersion"}
    _, selected, _ = await rig.http("GET", f"{MAPS}?limit=1&labelSelector=!none")
    assert "remainingItemCount" not in selected["metadata"]
    assert selected["metadata"]["continue"]


async def test_the_token_of_a_list_that_is_no_longer_consistent(rig: Rig) -> None:
    await fill(rig, "a", "b", "c")
    _, first, _ = await rig.http("GET", f"{MAPS}?limit=1")
    await fill(rig, "aa")
    await rig.store.compact(rig.store.revision)
    status, answer, _ = await rig.http("GET", f"{MAPS}?limit=1&continue={first['metadata']['continue']}")
    code, reason, message = failure(answer)
    assert (status, code, reason) == (410, 410, "Expired")
    assert message.startswith(
        "The provided continue parameter is too old to display a consistent list result."
    )
    goes_on = answer["metadata"]["continue"]
    _, rest, _ = await rig.http("GET", f"{MAPS}?continue={goes_on}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["aa", "b", "c"]
    version = first["metadata"]["resourceVersion"]
    found = await refusal(rig, "GET", f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert found == (410, "Expired", "The resourceVersion for the provided list is too old.")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("resourceVersion={rv}&resourceVersionMatch=Exact", ["a"]),
        ("resourceVersion={rv}&resourceVersionMatch=NotOlderThan", ["a", "b"]),
        ("resourceVersion={rv}", ["a", "b"]),
        ("resourceVersion={rv}&limit=5", ["a"]),
        ("resourceVersion=0&resourceVersionMatch=NotOlderThan", ["a", "b"]),
    ],
)
async def test_versions_of_lists(rig: Rig, query: str, names: list[str]) -> None:
    await fill(rig, "a")
    version = rig.store.revision
    await fill(rig, "b")
    _, answer, _ = await rig.http("GET", f"{MAPS}?{query.format(rv=version)}")
    assert [item["metadata"]["name"] for item in answer["items"]] == names
    if names == ["a"]:
        assert answer["metadata"]["resourceVersion"] == str(version)


async def test_lists_name_their_kind_once(rig: Rig) -> None:
    await fill(rig, "a")
    _, answer, _ = await rig.http("GET", MAPS)
    assert (answer["kind"], answer["apiVersion"]) == ("ConfigMapList", "v1")
    assert answer["metadata"].keys() == {"resourceVersion"}


async def test_missing_objects(rig: Rig) -> None:
    assert await refusal(rig, "GET", f"{MAPS}/none") == (404, "NotFound", 'configmaps "none" not found')
    _, answer, _ = await rig.http("GET", "/apis/apps/v1/namespaces/default/deployments/none")
    assert answer["details"] == {"name": "none", "group": "apps", "kind": "deployments"}
    assert answer["message"] == 'deployments.apps "none" not found'


@pytest.mark.parametrize(
    ("agent", "query", "is_indented"),
    [
        ("curl/8.5.0", "", True),
        ("Wget/1.21", "", True),
        ("Mozilla/5.0 (X11; Linux x86_64)", "", True),
        ("kubectl/v1.37.0 (linux/amd64)", "", False),
        ("curl/8.5.0", "?pretty=false", False),
        ("kubectl/v1.37.0 (linux/amd64)", "?pretty=1", True),
        ("kubectl/v1.37.0 (linux/amd64)", "?pretty=yes", False),
    ],
)
async def test_answers_for_human_eyes(rig: Rig, agent: str, query: str, is_indented: bool) -> None:
    await fill(rig, "a")
    headers = {"User-Agent": agent, "Authorization": "Bearer admin-token"}
    for path in (f"{MAPS}/a", MAPS, f"{MAPS}/none", "/version"):
        async with rig.session.get(f"{rig.server.url}{path}{query}", headers=headers) as response:
            text = await response.text()
        assert text.startswith('{\n  "') == is_indented, path
