"""Field selectors of events, by the names either group has for the same fields.

Facts: pkg/registry/core/event ToSelectableFields; AddFieldLabelConversionsForEvent of core/v1 and events/v1.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.apiserver.rig import Rig, running

CORE = "/api/v1/namespaces/default/events"
GROUP = "/apis/events.k8s.io/v1/namespaces/default/events"
ABOUT = {
    "kind": "Pod",
    "namespace": "default",
    "name": "web",
    "uid": "u1",
    "apiVersion": "v1",
    "resourceVersion": "7",
    "fieldPath": "spec.containers{c}",
}
OLD = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "old"},
    "involvedObject": ABOUT,
    "reason": "Pulled",
    "type": "Normal",
    "source": {"component": "kubelet", "host": "n"},
}
NEW = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "new"},
    "regarding": {**ABOUT, "kind": "Job", "name": "j"},
    "reason": "Done",
    "type": "Warning",
    "action": "a",
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingController": "example.com/jobs",
    "reportingInstance": "i",
}
BOTH = {"old", "new"}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as found:
        for path, event in ((CORE, OLD), (GROUP, NEW)):
            code, answer = await asked(found, "POST", path, event)
            assert code == 201, answer
        yield found


async def asked(rig: Rig, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = json.dumps(body) if body is not None else None
    headers = {"Authorization": "Bearer admin-token", "Content-Type": "application/json"}
    async with rig.session.request(method, f"{rig.server.url}{path}", data=data, headers=headers) as answer:
        return answer.status, json.loads(await answer.read())


SHARED = [
    ("reason=Pulled", {"old"}),
    ("type=Warning", {"new"}),
    ("type!=Warning", {"old"}),
    ("source=kubelet", {"old"}),
    ("source=example.com/jobs", {"new"}),
    ("metadata.name=new", {"new"}),
    ("metadata.namespace=default", BOTH),
    ("reason=Pulled,type=Warning", set()),
]
OBJECT = [
    ("kind=Pod", {"old"}),
    ("kind=Job", {"new"}),
    ("namespace=default", BOTH),
    ("name=web", {"old"}),
    ("uid=u1", BOTH),
    ("apiVersion=v1", BOTH),
    ("resourceVersion=7", BOTH),
    ("fieldPath=spec.containers{c}", BOTH),
    ("kind!=Pod,uid=u1", {"new"}),
]


def selections() -> list[tuple[str, str, set[str]]]:
    found = [(path, selector, names) for path in (CORE, GROUP) for selector, names in SHARED]
    for path, prefix in ((CORE, "involvedObject."), (GROUP, "regarding.")):
        found += [
            (path, ",".join(prefix + part for part in selector.split(",")), names)
            for selector, names in OBJECT
        ]
    found.append((CORE, "reportingComponent=kubelet", {"old"}))
    found.append((CORE, "reportingComponent=example.com/jobs", {"new"}))
    found.append((GROUP, "reportingController=kubelet", {"old"}))
    found.append((GROUP, "reportingController=example.com/jobs", {"new"}))
    return found


async def test_events_are_found(rig: Rig) -> None:
    for path, selector, names in selections():
        code, answer = await asked(rig, "GET", f"{path}?fieldSelector={quote(selector)}")
        assert code == 200, answer
        assert {item["metadata"]["name"] for item in answer["items"]} == names, (path, selector)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CORE, ("regarding.kind", "reportingController", "involvedObject.labels", "message")),
        (GROUP, ("involvedObject.kind", "reportingComponent", "note", "deprecatedSource")),
    ],
)
async def test_other_names_are_refused(rig: Rig, path: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        code, answer = await asked(rig, "GET", f"{path}?fieldSelector={field}%3Dx")
        assert (code, answer["message"]) == (400, f"field label not supported: {field}")
