"""Fields of a policy's expressions that the types do not have."""

from __future__ import annotations

import pytest

from wherry.api import schema
from wherry.api.admissionregistration.type_checks import type_warnings, undefined_fields
from wherry.api.catalog import BUILTIN
from wherry.objects.meta import Object

DEPLOYMENT = schema.definition("io.k8s.api.apps.v1.Deployment")


def policy(expression: str, *resources: str, group: str = "apps", **more: str) -> Object:
    """A policy on resources of one group."""
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "resources": list(resources), "operations": ["*"]}
    validations = [{"expression": expression, **more}]
    return {"spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": validations}}


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("object.spec.replicas > 1", ""),
        ("object.replicas > 1", "replicas"),
        ("has(oldObject.spec.replica)", "replica"),
        ("object.metadata.labels.anything == 'x'", ""),
        ("object.metadata.labels['a'].size() > 0", ""),
        ("object.spec.template.spec.containers[0].imag == ''", "imag"),
        ("object.spec.template.spec.containers.all(c, c.imag == '')", "imag"),
        ("object.?spec.?replicass.orValue(1) > 0", "replicass"),
        ("params.object.x == 1", ""),
        ("object.", ""),
    ],
)
def test_chains_of_fields(source: str, field: str) -> None:
    found = undefined_fields(source, DEPLOYMENT)
    assert (f"undefined field '{field}'" in found) if field else found == ""


def test_warnings_are_told_in_upstreams_words() -> None:
    warnings = type_warnings(policy("object.replicas > 1", "deployments", "daemonsets"), BUILTIN)
    shown = "ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^"
    text = f"apps/v1, Kind=DaemonSet: {shown}\napps/v1, Kind=Deployment: {shown}"
    assert warnings == [{"fieldRef": "spec.validations[0].expression", "warning": text}]
    made = policy("true", "pods", group="", messageExpression="object.none")
    assert type_warnings(made, BUILTIN)[0]["fieldRef"] == "spec.validations[0].messageExpression"


@pytest.mark.parametrize("resource", ["*", "pods/exec", "widgets"])
def test_what_has_no_one_type_is_passed_over(resource: str) -> None:
    assert type_warnings(policy("object.none", resource, group=""), BUILTIN) == []
