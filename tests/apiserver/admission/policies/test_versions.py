"""Custom resources in another version than the one a policy or webhook names."""

from __future__ import annotations

from tests.apiserver.admission.policies.samples import binding, patching, policy, put, rule
from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import ROOT, cron_tab, definition, version
from tests.apiserver.rig import Rig
from wherry.objects.meta import Object

V2 = ROOT.replace("/v1/", "/v2/")
IN_V2 = {
    "resourceRules": [
        {
            "apiGroups": ["stable.example.com"],
            "apiVersions": ["v2"],
            "resources": ["crontabs"],
            "operations": ["*"],
        }
    ]
}


def two_versions() -> Object:
    """v1, which is stored, and v2."""
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    plain = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return definition(
        version("v1", schema=plain, subresources={}, selectableFields=[]),
        version("v2", storage=False, schema=plain, subresources={}, selectableFields=[]),
    )


async def test_objects_are_shown_in_the_version_named(rig: Rig) -> None:
    await define(rig, two_versions())
    told = rule(
        "object.apiVersion == 'none'", messageExpression="object.apiVersion + request.requestKind.version"
    )
    await put(
        rig,
        policy("Validating", validations=[told], matchConstraints=IN_V2),
        binding("Validating"),
    )
    status, body, _ = await rig.http("POST", ROOT, cron_tab("a"))
    assert status == 422
    assert body["message"].endswith("denied request: stable.example.com/v2v1")
    exact = {**IN_V2, "matchPolicy": "Exact"}
    await put(rig, policy("Validating", "exact", validations=[rule("false")], matchConstraints=exact))
    await put(rig, binding("Validating", "exact", "exact"))
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/b"
    await rig.http("DELETE", path)
    assert (await rig.http("POST", ROOT, cron_tab("a")))[0] == 201


async def test_what_is_changed_in_one_version_is_stored_in_the_other(rig: Rig) -> None:
    await define(rig, two_versions())
    change = patching('[JSONPatch{op: "add", path: "/spec/made", value: object.apiVersion}]')
    made = policy("Mutating", mutations=[change], reinvocationPolicy="Never", matchConstraints=IN_V2)
    await put(rig, made, binding("Mutating"))
    status, body, _ = await rig.http("POST", ROOT, cron_tab("a"))
    assert status == 201, body
    assert (body["apiVersion"], body["spec"]["made"]) == ("stable.example.com/v1", "stable.example.com/v2")
