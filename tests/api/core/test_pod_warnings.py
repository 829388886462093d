"""What the author of a pod, or of a template of one, is told of things that are taken all the same."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.pod_warnings import pod_warnings
from wherry.api.core.pods import PODS, validate_ephemeral_update
from wherry.api.core.services import SERVICES

SCHEDULING = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERENCE = "preferredDuringSchedulingIgnoredDuringExecution"
NO_SELECTOR = "a null labelSelector results in matching no pod"
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
NEW_ZONE = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'


def _ported(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    ports = [{"containerPort": 80, "protocol": "TCP"} | port for port in (first, second)]
    return {"containers": [{"name": "a", "ports": [ports[0]]}, {"name": "b", "ports": [ports[1]]}]}


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        ({"containers": [{"name": "a"}]}, []),
        (
            {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
            [("spec.nodeSelector[beta.kubernetes.io/os]: "
             'deprecated since v1.14; use "kubernetes.io/os" instead')],
        ),
        (
            {"affinity": {"nodeAffinity": {SCHEDULING: {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": OLD_ZONE, "operator": "Exists"}]}]}}}},
            [(f"spec.affinity.nodeAffinity.{SCHEDULING}.nodeSelectorTerms[0].matchExpressions[0].key: "
             f"{OLD_ZONE} is {NEW_ZONE}")],
        ),
        (
            {"topologySpreadConstraints": [{"topologyKey": OLD_ZONE}]},
            [f"spec.topologySpreadConstraints[0].topologyKey: {OLD_ZONE} is {NEW_ZONE}",
             f"spec.topologySpreadConstraints[0].labelSelector: {NO_SELECTOR}"],
        ),
        (
            {"affinity": {"podAffinity": {SCHEDULING: [{"topologyKey": "z"}]},
                          "podAntiAffinity": {PREFERENCE: [{"podAffinityTerm": {}}]}}},
            [f"spec.affinity.podAffinity.{SCHEDULING}[0].labelSelector: {NO_SELECTOR}",
             f"spec.affinity.podAntiAffinity.{PREFERENCE}[0].podAffinityTerm.labelSelector: {NO_SELECTOR}"],
        ),
        (
            {"volumes": [{"name": "v", "gitRepo": {}}, {"name": "w", "ephemeral": {"volumeClaimTemplate": {
                "spec": {"resources": {"requests": {"storage": "1500m"}}}}}}]},
            ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
             ("spec.volumes[1].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: "
             'fractional byte value "1500m" is invalid, must be an integer')],
        ),
        (
            {"hostAliases": [{"ip": "1.2.3.4"}, {"ip": "1.2.3.4"}]},
            ['spec.hostAliases[1].ip: duplicate ip "1.2.3.4"'],
        ),
        (
            {"imagePullSecrets": [{"name": "s"}, {"name": "s"}, {}]},
            ['spec.imagePullSecrets[1].name: duplicate name "s"',
             'spec.imagePullSecrets[2].name: invalid empty name ""'],
        ),
        (
            {"overhead": {"memory": "100m"}, "containers": [{"name": "a", "resources": {
                "limits": {"memory": "100m", "cpu": "100m"}, "requests": {"ephemeral-storage": "1m"}}}]},
            ['spec.overhead[memory]: fractional byte value "100m" is invalid, must be an integer',
             ('spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, '
             "must be an integer"),
             ('spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value "1m" '
             "is invalid, must be an integer")],
        ),
        (
            {"containers": [{"name": "a", "env": [{"name": "A", "value": "1"},
                                                  {"name": "A", "value": "2"}]}]},
            [('spec.containers[0].env[1]: hides previous definition of "A", '
             "which may be dropped when using apply")],
        ),
        (
            {"containers": [{"name": "a", "env": [{"name": "A", "value": "1"},
                                                  {"name": "A", "value": "$(A):2"}]}]},
            [],
        ),
        ({"terminationGracePeriodSeconds": -1},
         [("spec.terminationGracePeriodSeconds: must be >= 0; "
          "negative values are invalid and will be treated as 1")]),
        (_ported({}, {"containerPort": 81}), []),
        (_ported({}, {"protocol": "UDP"}), []),
        (_ported({}, {}), [("spec.containers[1].ports[0]: duplicate port definition with "
                           "spec.containers[0].ports[0]")]),
        (_ported({"hostPort": 80}, {}), [("spec.containers[1].ports[0]: overlapping port definition with "
                                         "spec.containers[0].ports[0]")]),
        (_ported({"hostPort": 80}, {"hostPort": 80, "hostIP": "1.2.3.4"}),
         [("spec.containers[1].ports[0]: dangerously ambiguous port definition with "
          "spec.containers[0].ports[0]")]),
        (_ported({"hostPort": 80}, {"hostPort": 81}), []),
        (_ported({"name": "p", "hostIP": "1.2.3.4"}, {"protocol": "UDP"}),
         [("spec.containers[0].ports[0]: hostIP set without hostPort: "
          "{Name:p HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.2.3.4}")]),
    ],
)  # fmt: skip
def test_what_is_said_of_a_spec(spec: dict[str, Any], warnings: list[str]) -> None:
    assert pod_warnings({"spec": spec}) == warnings


APPARMOR = "container.apparmor.security.beta.kubernetes.io/a"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"


@pytest.mark.parametrize(
    ("annotation", "context", "in_pod", "in_template"),
    [
        ("scheduler.alpha.kubernetes.io/critical-pod", {}, True, True),
        ("security.alpha.kubernetes.io/sysctls", {}, True, True),
        (SECCOMP, {}, True, True),
        (SECCOMP, {"seccompProfile": {"type": "RuntimeDefault"}}, False, False),
        ("container.seccomp.security.alpha.kubernetes.io/a", {}, True, True),
        ("container.seccomp.security.alpha.kubernetes.io/other", {}, False, False),
        (APPARMOR, {}, False, True),
        (APPARMOR, {"appArmorProfile": {"type": "RuntimeDefault"}}, False, False),
        ("example.com/a", {}, False, False),
    ],
)
def test_annotations_that_fields_replaced(
    annotation: str, context: dict[str, Any], in_pod: bool, in_template: bool
) -> None:
    spec = {"containers": [{"name": "a"}], "securityContext": context}
    pod = {"metadata": {"annotations": {annotation: "x"}}, "spec": spec}
    for path, is_said in (("", in_pod), ("spec.template", in_template)):
        at = f"{path}.metadata" if path else "metadata"
        texts = pod_warnings(pod, path)
        assert [text.partition(": ")[0] for text in texts] == [f"{at}.annotations[{annotation}]"] * is_said


def test_the_template_of_a_deployment_is_read_too() -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "a", "image": "i"}], "imagePullSecrets": [{}]},
    }
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    new, errors = create(DEPLOYMENTS, make(DEPLOYMENTS, spec=spec))
    assert errors == []
    said = ['spec.template.spec.imagePullSecrets[0].name: invalid empty name ""']
    assert DEPLOYMENTS.strategy.warnings(new, None) == said


def test_a_mirror_pod_takes_no_ephemeral_containers() -> None:
    mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}
    spec = {"nodeName": "n", "containers": [{"name": "a", "image": "i"}]}
    old, _ = create(PODS, make(PODS, metadata=mirror, spec=spec))
    [error] = validate_ephemeral_update(old, old)
    assert "static pods do not support ephemeral containers" in str(error)


@pytest.mark.parametrize(
    ("os_name", "user", "texts"),
    [
        ("linux", {"uid": 0, "gid": 0, "supplementalGroups": [1]}, []),
        ("linux", {"uid": -1, "gid": 0},
         ["status.containerStatuses[0].linux.uid: Invalid value: -1: must be between 0 and 2147483647"]),
        ("linux", {"uid": 1, "gid": 1, "supplementalGroups": [1, -2]},
         ["status.containerStatuses[0].linux.supplementalGroups[1]: Invalid value: -2"]),
        ("windows", {"uid": 1, "gid": 1},
         ["status.containerStatuses[0].linux: Forbidden: cannot be set for a windows pod"]),
    ],
)  # fmt: skip
def test_whom_a_container_runs_as(os_name: str, user: dict[str, Any], texts: list[str]) -> None:
    spec = {"os": {"name": os_name}, "containers": [{"name": "a", "image": "i"}]}
    old, errors = create(PODS, make(PODS, spec=spec))
    assert errors == []
    statuses = [{"name": "a", "user": {"linux": user}}]
    new = {**old, "status": old["status"] | {"containerStatuses": statuses}}
    said = [str(error) for error in PODS.strategy.validate_status(new, old)]
    assert len(said) == len(texts)
    assert all(found.startswith(text) for found, text in zip(said, texts, strict=True)), said


def test_a_balancer_may_not_hide_the_kubelet() -> None:
    ports = [{"port": 80}, {"port": 10250}]
    for kind, wrong in (("ClusterIP", False), ("LoadBalancer", True)):
        _, errors = create(SERVICES, make(SERVICES, spec={"type": kind, "ports": [
            {"name": f"p{port['port']}", **port} for port in ports]}))  # fmt: skip
        text = "may not expose port 10250 externally since it is used by kubelet"
        assert errors == [f"spec.ports[1]: Invalid value: 10250: {text}"] * wrong


def test_both_names_of_the_topology_mode_must_agree() -> None:
    mode, hints = "service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"
    old, errors = create(
        SERVICES,
        make(
            SERVICES, metadata={"annotations": {mode: "Auto", hints: "Auto"}}, spec={"ports": [{"port": 1}]}
        ),
    )
    assert errors == []
    new = {**old, "metadata": {**old["metadata"], "annotations": {mode: "Auto", hints: "Disabled"}}}
    _, errors = update(SERVICES, old, new)
    assert errors == [
        (
            f'metadata.annotations[{mode}]: Invalid value: "Auto": '
            f"must match annotations[{hints}] when both are specified"
        )
    ]
