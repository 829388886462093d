"""Texts of digits that Python's `int` does not take, or takes and Go does not, wherever numbers are read."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.apiserver.customresources.samples import definition
from tests.apiserver.rig import Rig, pod
from wherry.api.core.nodes import NODES
from wherry.objects.meta import Object

MANY = "1" * 5000
DIGITS = (MANY, "²", "\N{ARABIC-INDIC DIGIT ONE}", "1_0", " 1", "9" * 30)
PODS = "/api/v1/namespaces/default/pods"
DAEMON_SETS = "/apis/apps/v1/namespaces/default/daemonsets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def workload(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("p")["spec"]}
    return {
        "metadata": {"name": "w"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


@pytest.mark.parametrize("digits", DIGITS)
async def test_numbers_in_annotations(rig: Rig, digits: str) -> None:
    made = pod("p")
    made["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": digits}
    status, body, _ = await rig.http("POST", PODS, made)
    assert (status, body["reason"]) == (422, "Invalid")
    assert "must be a 32bit integer" in body["message"]
    daemons = workload()
    daemons["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": digits}
    status, body, _ = await rig.http("POST", DAEMON_SETS, daemons)
    assert (status, body["reason"]) == (400, "BadRequest")
    assert 'strconv.ParseInt: parsing "' in body["message"]


@pytest.mark.parametrize("digits", DIGITS)
async def test_ports(rig: Rig, digits: str) -> None:
    await rig.admin.create(NODES, {"metadata": {"name": "n"}})
    status, body, _ = await rig.http("POST", f"{PODS}/p/portforward?ports={quote(digits)}")
    assert (status, body["reason"]) == (400, "BadRequest")
    assert body["message"].startswith('cannot convert to []int32: strconv.ParseUint: parsing "')
    for path in (f"/api/v1/nodes/n:{quote(digits)}/proxy/", f"{PODS}/p:{quote(digits)}/proxy/"):
        assert (await rig.http("GET", path))[0] in (400, 404, 503)


@pytest.mark.parametrize("digits", DIGITS)
async def test_numbers_in_queries(rig: Rig, digits: str) -> None:
    for name in ("limit", "timeoutSeconds", "resourceVersion", "labelSelector=a>"):
        query = f"{name}={quote(digits)}" if "=" not in name else f"{name}{quote(digits)}"
        assert (await rig.http("GET", f"{PODS}?{query}"))[0] in (200, 400)
    assert (await rig.http("GET", f"{PODS}/p/log?tailLines={quote(digits)}"))[0] in (400, 404)


@pytest.mark.parametrize("digits", DIGITS)
async def test_percentages_versions_and_addresses(rig: Rig, digits: str) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": f"{digits}%", "maxUnavailable": 1}}
    status, _, _ = await rig.http("POST", DEPLOYMENTS, workload(strategy=rolling))
    assert status in (201, 422)
    made: Object = {
        "metadata": {"name": "x", "labels": {"pod-security.kubernetes.io/warn-version": f"v1.{digits}"}}
    }
    assert (await rig.http("POST", "/api/v1/namespaces", made))[0] in (201, 422)
    service = {
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 1}], "externalIPs": [f"1.1.1.{digits}"]},
    }
    assert (await rig.http("POST", "/api/v1/namespaces/default/services", service))[0] == 422
    policy = {"ipBlock": {"cidr": f"1.1.1.0/{digits}"}}
    made = {"metadata": {"name": "n"}, "spec": {"podSelector": {}, "ingress": [{"from": [policy]}]}}
    path = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
    assert (await rig.http("POST", path, made))[0] == 422
    for field in (f"a[{digits}]", digits):
        made = {"metadata": {"name": "c"}, "dota": {}, "data": {"a": "b"}, field: [{"x": 1}]}
        path = "/api/v1/namespaces/default/configmaps?fieldValidation=Strict"
        assert (await rig.http("POST", path, made))[0] == 400
        made |= {"apiVersion": "v1", "kind": "ConfigMap"}
        patch = {"Content-Type": "application/apply-patch+yaml"}
        path = "/api/v1/namespaces/default/configmaps/c?fieldManager=m"
        status, body, _ = await rig.http("PATCH", path, made, headers=patch)
        assert "field not declared in schema" in body["message"]


@pytest.mark.parametrize("digits", DIGITS)
async def test_columns_of_custom_resources(rig: Rig, digits: str) -> None:
    made = definition()
    made["spec"]["versions"][0]["additionalPrinterColumns"] = [
        {"name": "a", "type": "string", "jsonPath": f".spec.a[{digits}]"}
    ]
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    status, body, _ = await rig.http("POST", path, made)
    assert status == (201 if digits == " 1" else 422)
    assert status == 201 or "is an invalid jsonpath: " in body["message"]
