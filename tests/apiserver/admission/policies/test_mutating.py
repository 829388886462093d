"""Policies that change objects."""

from __future__ import annotations

import pytest

from tests.apiserver.admission.policies.samples import (
    CONFIG_MAPS,
    MAPS,
    binding,
    merging,
    mutate,
    patching,
    policy,
    put,
)
from tests.apiserver.rig import Rig, account, config_map
from wherry.objects.meta import Object

PODS = "/api/v1/namespaces/default/pods"
POD_RULES = {"resourceRules": [{**CONFIG_MAPS, "resources": ["pods"]}]}
DENIED = "policy 'p' with binding 'b' denied request: "


def pod() -> Object:
    """A pod of one container."""
    containers = [{"name": "web", "image": "nginx:1"}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers}}


async def test_a_configuration_is_merged(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    expression = """
      Object{
        metadata: Object.metadata{labels: Object.metadata.labels{seen: "yes"}},
        spec: Object.spec{
          ?priority: optional.none(),
          initContainers: [Object.spec.initContainers{name: "mesh", image: "mesh:" + variables.tag}],
          containers: [Object.spec.containers{name: "web", stdin: true}]
        }
      }"""
    variables = [{"name": "tag", "expression": "object.metadata.name + '1'"}]
    await mutate(rig, merging(expression), variables=variables, matchConstraints=POD_RULES)
    status, body, _ = await rig.http("POST", PODS, pod())
    assert status == 201, body
    assert body["metadata"]["labels"] == {"seen": "yes"}
    (web,), (mesh,) = body["spec"]["containers"], body["spec"]["initContainers"]
    assert (web["image"], web["stdin"]) == ("nginx:1", True)
    assert (mesh["image"], mesh["imagePullPolicy"]) == ("mesh:p1", "IfNotPresent")
    assert [m["mountPath"] for m in mesh["volumeMounts"]] == ["/var/run/secrets/kubernetes.io/serviceaccount"]


async def test_patches(rig: Rig) -> None:
    expression = """
      [
        JSONPatch{op: "test", path: "/data/x", value: "1"},
        JSONPatch{op: "add", path: "/metadata/labels", value: {}},
        JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/b"), value: "c"}
      ]"""
    await mutate(rig, patching(expression))
    _, body, _ = await rig.http("POST", MAPS, config_map("a", x="1"))
    assert body["metadata"]["labels"] == {"a/b": "c"}
    # A test that fails leaves the object alone.
    _, body, _ = await rig.http("POST", MAPS, config_map("b", x="2"))
    assert "labels" not in body["metadata"]


async def test_mutations_build_on_each_other_and_conditions_guard_them(rig: Rig) -> None:
    def appending(text: str) -> Object:
        return patching(f'[JSONPatch{{op: "replace", path: "/data/x", value: object.data.x + "{text}"}}]')

    conditions = [{"name": "c", "expression": "object.data.x != 'keep'"}]
    await mutate(rig, appending("b"), appending("c"), matchConditions=conditions)
    _, body, _ = await rig.http("POST", MAPS, config_map("a", x="a"))
    assert body["data"] == {"x": "abc"}
    _, body, _ = await rig.http("POST", MAPS, config_map("b", x="keep"))
    assert body["data"] == {"x": "keep"}


async def test_one_is_evaluated_again_after_others(rig: Rig) -> None:
    counting = merging("Object{data: Object.data{count: string(object.data.size())}}")
    adding = merging('Object{data: Object.data{more: "yes"}}')
    await put(
        rig,
        policy("Mutating", "p1", mutations=[counting], reinvocationPolicy="IfNeeded"),
        policy("Mutating", "p2", mutations=[adding], reinvocationPolicy="Never"),
        binding("Mutating", "b1", "p1"),
        binding("Mutating", "b2", "p2"),
    )
    _, body, _ = await rig.http("POST", MAPS, config_map("a", x="a"))
    assert body["data"] == {"x": "a", "more": "yes", "count": "3"}


@pytest.mark.parametrize(
    ("mutation", "text"),
    [
        (
            merging("Object{data: Object.dat{x: 'y'}}"),
            (
                'type mismatch: unexpected type name "Object.dat", expected "Object.data", '
                "which matches field name path from root Object type"
            ),
        ),
        (
            merging("Object{spec: Object.spec{x: 1}}"),
            (
                "error applying patch: failed to convert patch object to typed object: .spec: field not "
                "declared in schema"
            ),
        ),
        (
            patching("[JSONPatch{op: 'remove', path: '/data/none'}]"),
            (
                "JSON Patch: remove operation does not apply: Unable to remove nonexistent key: none: "
                "missing value"
            ),
        ),
        (
            patching("[JSONPatch{op: 'add', path: '/data', value: object.nothing}]"),
            (
                "expression '[JSONPatch{op: 'add', path: '/data', value: object.nothing}]' "
                "resulted in error: no such key: nothing"
            ),
        ),
    ],
)
@pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
async def test_what_cannot_be_done(rig: Rig, mutation: Object, text: str, failure_policy: str) -> None:
    await mutate(rig, mutation, failurePolicy=failure_policy)
    status, body, _ = await rig.http("POST", MAPS, config_map("a", x="1"))
    if failure_policy == "Ignore":
        assert (status, body["data"]) == (201, {"x": "1"})
        return
    assert (status, body["reason"], body["message"]) == (403, "Invalid", DENIED + text)
    assert body["details"]["causes"] == [{"message": DENIED + text}]


async def test_what_is_replaced_as_a_whole_cannot_be_merged(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    expression = """Object{spec: Object.spec{containers: [
      Object.spec.containers{name: "web", args: ["x"]}]}}"""
    await mutate(rig, merging(expression), matchConstraints=POD_RULES)
    _, body, _ = await rig.http("POST", PODS, pod())
    assert body["message"] == (
        f"{DENIED}error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or "
        "structs: .spec.containers[0].args"
    )
