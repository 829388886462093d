"""PodSecurity at the door: refusals, warnings, labels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.admission.pod_security.levels import (
    LATEST,
    Policy,
    Standard,
    is_stricter,
    read_policy,
)
from wherry.apiserver.admission.pod_security.plugin import is_significant, namespace_warnings
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

RESTRICTED_WHY = (
    'allowPrivilegeEscalation != false (container "web" must set '
    "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities "
    '(container "web" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true '
    '(pod or container "web" must set securityContext.runAsNonRoot=true), seccompProfile '
    '(pod or container "web" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)


async def namespace(rig: Rig, **labels: str) -> None:
    marked = {f"pod-security.kubernetes.io/{k.replace('_', '-')}": v for k, v in labels.items()}
    await rig.admin.create(NAMESPACES, {"metadata": {"name": "shop", "labels": marked}})
    await rig.admin.create(SERVICE_ACCOUNTS, account("shop"))


def warnings(headers: Any) -> list[str]:
    return [text.split(" ", 2)[2][1:-1].replace('\\"', '"') for text in headers.getall("Warning", [])]


async def test_a_pod_the_level_does_not_let_in_is_refused(rig: Rig) -> None:
    await namespace(rig, enforce="restricted")
    with pytest.raises(ApiError) as caught:
        await rig.admin.create(PODS, pod("p", "shop"))
    assert caught.value.code == 403
    assert caught.value.message == (
        f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {RESTRICTED_WHY}'
    )


async def test_a_level_may_only_warn_of_pods_and_of_templates(rig: Rig) -> None:
    await namespace(rig, enforce="baseline", warn="restricted", warn_version="v1.20")
    expected = (
        'would violate PodSecurity "restricted:v1.20": allowPrivilegeEscalation != false (container "web" '
        "must set securityContext.allowPrivilegeEscalation=false)"
    )
    path = "/api/v1/namespaces/shop/pods"
    status, _, headers = await rig.http("POST", path, pod("p", "shop"))
    assert status == 201
    assert warnings(headers)[0].startswith(expected)
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("p")["spec"]}
    deployment: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    status, _, headers = await rig.http("POST", DEPLOYMENTS.path("shop"), deployment)
    assert status == 201
    assert warnings(headers)[0].startswith(expected)


async def test_labels_that_cannot_be_read_are_refused(rig: Rig) -> None:
    with pytest.raises(ApiError) as caught:
        await namespace(rig, enforce="strict", warn_version="2")
    assert caught.value.code == 422
    assert caught.value.message == (
        'Namespace "shop" is invalid: ['
        'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": '
        "must be one of privileged, baseline, restricted, "
        'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "2": '
        'must be "latest" or "v1.x"]'
    )


async def test_a_namespace_that_gets_stricter_tells_of_its_pods(rig: Rig) -> None:
    await namespace(rig)
    for name in ("b", "a"):
        await rig.admin.create(PODS, pod(name, "shop"))
    await rig.admin.create(PODS, pod("host", "shop", hostNetwork=True))
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    status, _, headers = await rig.http(
        "PATCH", "/api/v1/namespaces/shop", patch, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert status == 200
    reasons = (
        "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
    )
    assert warnings(headers) == [
        'existing pods in namespace "shop" violate the new PodSecurity enforce level "restricted:latest"',
        f"a (and 1 other pod): {reasons}",
        f"host: host namespaces, {reasons}",
    ]


def test_a_large_namespace_is_not_looked_through() -> None:
    assert namespace_warnings("shop", Standard("baseline"), [pod("p")], 3) == [
        "new PodSecurity enforce level only checked against the first 1 of 3 existing pods"
    ]


@pytest.mark.parametrize(
    ("labels", "policy", "faults"),
    [
        ({}, Policy(), 0),
        ({"enforce": "baseline", "enforce-version": "v1.28"}, Policy(enforce=Standard("baseline", 28)), 0),
        ({"enforce": "x", "audit": "x", "warn": "x"}, Policy(Standard("restricted")), 3),
        ({"enforce": "baseline", "enforce-version": "v2.1"}, Policy(enforce=Standard("baseline", LATEST)), 1),
        ({"warn-version": "v1.05"}, Policy(), 1),
    ],
)  # fmt: skip
def test_labels(labels: dict[str, str], policy: Policy, faults: int) -> None:
    found, errors = read_policy({f"pod-security.kubernetes.io/{k}": v for k, v in labels.items()})
    assert (found, len(errors)) == (policy, faults)


def test_levels_have_an_order() -> None:
    assert is_stricter("restricted", "baseline")
    assert is_stricter("baseline", "privileged")
    assert not is_stricter("baseline", "baseline")


def test_updates_are_looked_at_when_they_change_what_runs() -> None:
    old, new = pod("p"), pod("p")
    new["metadata"]["labels"] = {"a": "b"}
    assert not is_significant(new, old)
    new["spec"]["containers"][0]["image"] = "other"
    assert is_significant(new, old)
    debugged = pod("p", ephemeralContainers=[{"name": "d", "image": "i"}])
    assert is_significant(debugged, old)
    assert not is_significant(debugged, debugged)
    noted = pod("p")
    noted["metadata"]["annotations"] = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
    assert is_significant(noted, old)
