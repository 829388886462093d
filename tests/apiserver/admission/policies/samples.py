"""Policies and bindings for tests."""

from __future__ import annotations

from typing import Any

from tests.apiserver.rig import Rig
from wherry.objects.meta import Object

API = "admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
CONFIG_MAPS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["configmaps"],
    "operations": ["CREATE", "UPDATE"],
}


def policy(kind: str, name: str = "p", **spec: Any) -> Object:
    """A `kind` (Validating or Mutating) policy on config maps."""
    return {
        "apiVersion": API,
        "kind": f"{kind}AdmissionPolicy",
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": [CONFIG_MAPS]}, **spec},
    }


def binding(kind: str, name: str = "b", policy_name: str = "p", **spec: Any) -> Object:
    """A binding of it, which denies if it validates."""
    actions = {"validationActions": ["Deny"]} if kind == "Validating" else {}
    return {
        "apiVersion": API,
        "kind": f"{kind}AdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": policy_name, **actions, **spec},
    }


async def put(rig: Rig, *objects: Object) -> None:
    """Create policies and bindings."""
    for obj in objects:
        plural = f"{obj['kind'].lower()}s".replace("policys", "policies")
        status, answer, _ = await rig.http("POST", f"/apis/{API}/{plural}", obj)
        assert status == 201, answer


async def validate(rig: Rig, *validations: Object, **spec: Any) -> None:
    """A validating policy with a binding that denies."""
    await put(rig, policy("Validating", validations=list(validations), **spec), binding("Validating"))


def rule(expression: str, **more: Any) -> Object:
    """A validation."""
    return {"expression": expression, **more}


def merging(expression: str) -> Object:
    """A mutation that merges what the expression constructs."""
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patching(expression: str) -> Object:
    """A mutation that is a JSON patch."""
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def mutate(rig: Rig, *mutations: Object, **spec: Any) -> None:
    """A mutating policy with a binding."""
    reinvocation = {"reinvocationPolicy": "Never"}
    made = policy("Mutating", mutations=list(mutations), **{**reinvocation, **spec})
    await put(rig, made, binding("Mutating"))
