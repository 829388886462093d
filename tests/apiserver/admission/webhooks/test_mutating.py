"""Webhooks that change objects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.apiserver.admission.webhooks.hooks import Hooks, allowed, denied, patched
from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import ROOT, cron_tab, definition, version
from tests.apiserver.customresources.test_conversion import deep, open_schema
from tests.apiserver.rig import Rig, config_map, pod
from wherry.objects.meta import Object

MAPS = "/api/v1/namespaces/default/configmaps"


def add(path: str, value: Any) -> Object:
    """An operation that adds."""
    return {"op": "add", "path": path, "value": value}


async def test_a_patch_changes_what_is_stored(rig: Rig, hook: Hooks) -> None:
    hook.answers["/m"] = lambda _: patched(add("/data/b", "2"), add("/metadata/labels", {"seen": "yes"}))
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    status, body, _ = await rig.http("POST", f"{MAPS}?fieldManager=me", config_map("a", b="1"))
    assert status == 201, body
    assert (body["data"], body["metadata"]["labels"]) == ({"b": "2"}, {"seen": "yes"})
    _, body, _ = await rig.http("GET", f"{MAPS}/a")
    assert body["data"] == {"b": "2"}
    # What admission adds belongs to nobody, as upstream tracks ownership before it.
    fields = body["metadata"]["managedFields"][0]["fieldsV1"]
    assert list(fields) == ["f:data"]


async def test_the_request_says_everything(rig: Rig, hook: Hooks) -> None:
    hook.answers["/m"] = lambda _: allowed()
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    await rig.http("POST", f"{MAPS}?fieldManager=me&fieldValidation=Strict", config_map("a", b="1"))
    path, review = hook.asked[0]
    assert (path, review["apiVersion"], review["kind"]) == ("/m", "admission.k8s.io/v1", "AdmissionReview")
    request = review["request"]
    obj = request.pop("object")
    assert len(request.pop("uid")) == 36
    assert request == {
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "requestResource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "a",
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "oldObject": None,
        "dryRun": False,
        "options": {
            "kind": "CreateOptions",
            "apiVersion": "meta.k8s.io/v1",
            "fieldManager": "me",
            "fieldValidation": "Strict",
        },
    }
    assert obj["data"] == {"b": "1"}
    assert "uid" not in obj["metadata"]


async def test_updates_show_both_objects(rig: Rig, hook: Hooks) -> None:
    await rig.http("POST", MAPS, config_map("a", b="1"))
    hook.answers["/m"] = lambda request: patched(add("/data/c", request["oldObject"]["data"]["b"]))
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    headers = {"Content-Type": "application/merge-patch+json"}
    status, body, _ = await rig.http("PATCH", f"{MAPS}/a", '{"data":{"b":"2"}}', headers=headers)
    assert (status, body["data"]) == (200, {"b": "2", "c": "1"})
    request = hook.requests()[0]
    assert request["operation"] == "UPDATE"
    assert request["options"] == {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"}
    assert request["oldObject"]["metadata"]["uid"] == body["metadata"]["uid"]


async def test_generated_names_are_not_shown_yet(rig: Rig, hook: Hooks) -> None:
    hook.answers["/m"] = lambda _: patched(add("/data", {"x": "y"}))
    hook.answers["/v"] = lambda _: allowed()
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    await hook.configure("Validating", "v", hook.webhook("/v"))
    body = config_map("")
    body["metadata"] = {"generateName": "gen-"}
    status, body, _ = await rig.http("POST", MAPS, body)
    assert status == 201, body
    name = body["metadata"]["name"]
    assert name.startswith("gen-")
    before, after = hook.requests("/m")[0], hook.requests("/v")[0]
    assert "name" not in before
    assert "name" not in before["object"]["metadata"]
    assert after["name"] == after["object"]["metadata"]["name"] == name
    assert after["object"]["metadata"]["uid"] == body["metadata"]["uid"]


async def test_webhooks_run_in_order_of_their_names(rig: Rig, hook: Hooks) -> None:
    def appending(text: str) -> Any:
        return lambda request: patched(add("/data/b", request["object"]["data"]["b"] + text))

    for name in ("/b", "/a", "/c"):
        hook.answers[name] = appending(name[1:])
    await hook.configure("Mutating", "2", hook.webhook("/b"))
    await hook.configure("Mutating", "1", hook.webhook("/a"), hook.webhook("/c"))
    _, body, _ = await rig.http("POST", MAPS, config_map("a", b=">"))
    assert body["data"] == {"b": ">acb"}


async def test_one_is_asked_again_after_others_changed_the_object(rig: Rig, hook: Hooks) -> None:
    hook.answers["/first"] = lambda r: patched(
        add("/metadata/annotations", {"saw": ",".join(sorted(r["object"]["data"]))})
    )
    hook.answers["/never"] = lambda _: allowed()
    hook.answers["/last"] = lambda _: patched(add("/data/z", "1"))
    await hook.configure(
        "Mutating",
        "m",
        hook.webhook("/first", reinvocationPolicy="IfNeeded"),
        hook.webhook("/never"),
        hook.webhook("/last"),
    )
    _, body, _ = await rig.http("POST", MAPS, config_map("a", b="1"))
    assert body["metadata"]["annotations"] == {"saw": "b,z"}
    assert [path for path, _ in hook.asked] == ["/first", "/never", "/last", "/first"]


INVALID = (
    'Internal error occurred: failed calling webhook "m.example.com": received invalid webhook response: '
)
DENIED = 'admission webhook "m.example.com" denied the request'
MISSING = (
    'Internal error occurred: add operation does not apply: doc is missing path: "/nowhere/x": missing value'
)
NO_TYPE = "webhook returned response.patch but not response.patchType"
NO_PATCH = "webhook returned response.patchType but not response.patch"


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (denied(message="no", code=403, reason="Forbidden"), 403, f"{DENIED}: no"),
        (denied(reason="Bad"), 400, f"{DENIED}: Bad"),
        (denied(code=200), 400, f"{DENIED} without explanation"),
        ({**patched(add("/data", {})), "patchType": None}, 500, INVALID + NO_TYPE),
        ({"allowed": True, "patchType": "JSONPatch"}, 500, INVALID + NO_PATCH),
        (patched(add("/nowhere/x", 1)), 500, MISSING),
        (patched(add("/data", "text")), 500, "Internal error occurred: json: cannot unmarshal string"),
        ({"allowed": True, "uid": "other"}, 500, f"{INVALID}expected response.uid="),
    ],
)
async def test_what_goes_wrong_is_told(rig: Rig, hook: Hooks, answer: Object, code: int, text: str) -> None:
    hook.answers["/m"] = lambda _: answer
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert (status, body["message"][: len(text)]) == (code, text)
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 404


async def test_a_webhook_may_write_the_object_it_is_asked_about(rig: Rig, hook: Hooks) -> None:
    await rig.http("POST", MAPS, config_map("a", b="1"))
    headers = {"Content-Type": "application/merge-patch+json"}

    async def answer(request: Object) -> Object:
        if len(hook.asked) == 1:
            await rig.http("PATCH", f"{MAPS}/a", '{"data":{"by":"webhook"}}', headers=headers)
        return allowed()

    hook.answers["/m"] = answer
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    status, body, _ = await rig.http("PATCH", f"{MAPS}/a", '{"data":{"b":"2"}}', headers=headers)
    assert (status, body.get("data")) == (200, {"b": "2", "by": "webhook"}), body


async def test_pods_are_defaulted_after_a_patch(rig: Rig, hook: Hooks) -> None:
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}]
    hook.answers["/m"] = lambda _: patched(
        add("/spec/containers/-", {"name": "sidecar", "image": "side:1", "unknown": 1})
    )
    await hook.configure("Mutating", "m", hook.webhook("/m", rules=rules))
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
    }
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    status, body, _ = await rig.http("POST", "/api/v1/namespaces/default/pods", made)
    assert status == 201, body
    sidecar = body["spec"]["containers"][1]
    assert "unknown" not in sidecar
    assert sidecar["imagePullPolicy"] == "IfNotPresent"
    # The built-in plugins run once more, so the token is mounted into the new container too.
    assert sidecar["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert len(body["spec"]["volumes"]) == 1


async def test_old_reviews_are_spoken_too(rig: Rig, hook: Hooks) -> None:
    hook.answers["/m"] = lambda _: patched(add("/data", {"x": "1"}))
    await hook.configure("Mutating", "m", hook.webhook("/m", admissionReviewVersions=["v1beta1"]))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert (status, body["data"]) == (201, {"x": "1"})
    assert hook.asked[0][1]["apiVersion"] == "admission.k8s.io/v1beta1"


async def test_many_writers_of_one_object_all_succeed(rig: Rig, hook: Hooks) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    hook.answers["/m"] = lambda _: allowed()
    await hook.configure("Mutating", "m", hook.webhook("/m"))
    headers = {"Content-Type": "application/merge-patch+json"}
    patches = (f'{{"data":{{"k{number}":"v"}}}}' for number in range(40))
    answers = await asyncio.gather(
        *(rig.http("PATCH", f"{MAPS}/a", patch, headers=headers) for patch in patches)
    )
    assert {status for status, _, _ in answers} == {200}
    _, body, _ = await rig.http("GET", f"{MAPS}/a")
    assert len(body["data"]) == 40


async def test_what_is_asked_of_a_pod_can_be_changed(rig: Rig, hook: Hooks) -> None:
    """A binding to another node; the token's audience."""
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    await rig.http("POST", "/api/v1/namespaces/default/pods", pod("p"))
    hook.answers["/b"] = lambda _: patched(add("/target/name", "other"))
    hook.answers["/t"] = lambda _: patched(add("/spec/audiences", ["there"]))
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    await hook.configure(
        "Mutating",
        "m",
        hook.webhook("/b", rules=[{**rule, "resources": ["pods/binding"]}]),
        hook.webhook("/t", rules=[{**rule, "resources": ["serviceaccounts/token"]}]),
    )
    body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    status, answer, _ = await rig.http("POST", "/api/v1/namespaces/default/pods/p/binding", body)
    assert status == 201, answer
    _, answer, _ = await rig.http("GET", "/api/v1/namespaces/default/pods/p")
    assert answer["spec"]["nodeName"] == "other"
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    status, answer, _ = await rig.http("POST", path, {"spec": {"expirationSeconds": 600}})
    assert (status, answer["spec"]["audiences"]) == (201, ["there"])
    assert hook.requests("/t")[0]["kind"]["kind"] == "TokenRequest"


async def test_a_patch_that_nests_too_deep_is_refused(rig: Rig, hook: Hooks) -> None:
    plain: Any = {"schema": open_schema(), "subresources": {}, "selectableFields": []}
    await define(rig, definition(version("v1", **plain)))
    hook.answers["/m"] = lambda _: patched(add("/spec", deep(300)))
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["crontabs"], "operations": ["CREATE"]}
    await hook.configure("Mutating", "m", hook.webhook("/m", rules=[rule]))
    status, body, _ = await rig.http("POST", ROOT, cron_tab("a"))
    assert (status, body["message"]) == (500, "Internal error occurred: exceeded max depth of 200")
