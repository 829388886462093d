"""The Pod Security Standards: every check, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.apiserver.admission.pod_security.levels import BASELINE, LATEST, RESTRICTED, Standard
from wherry.apiserver.admission.pod_security.standards import BASELINE_RULES, RESTRICTED_RULES, evaluate
from wherry.objects.meta import Object

TAME = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def container(name: str = "a", **context: Any) -> Object:
    return {"name": name, "securityContext": context} if context else {"name": name}


def told(level: str, spec: Object, minor: int = LATEST, annotations: Object | None = None) -> list[str]:
    meta = {"annotations": annotations or {}}
    return [str(finding) for finding in evaluate(Standard(level, minor), meta, spec)]


def one(**context: Any) -> Object:
    return {"containers": [container(**context)]}


def of_pod(**context: Any) -> Object:
    return {"securityContext": context, "containers": [container()]}


APPARMOR = {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}
SELINUX_BAD = {"type": "spc_t", "user": "root", "role": "r"}


@pytest.mark.parametrize(
    ("spec", "findings"),
    [
        (one(), []),
        (of_pod(appArmorProfile={"type": "Unconfined"}),
         ['forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")']),
        (one(capabilities={"add": ["NET_ADMIN", "CHOWN"]}),
         [('non-default capabilities (container "a" must not include "NET_ADMIN" in '
          "securityContext.capabilities.add)")]),
        ({"hostNetwork": True, "hostIPC": True, "containers": []},
         ["host namespaces (hostNetwork=true, hostIPC=true)"]),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "hostPath": {"path": "/"}}]},
         ['hostPath volumes (volumes "v", "w")']),
        ({"containers": [{"name": "a", "ports": [{"hostPort": 80}, {"hostPort": 443}]},
                         {"name": "b", "ports": [{"hostPort": 0}]}]},
         ['hostPort (container "a" uses hostPorts 443, 80)']),
        ({"containers": [{"name": "a", "livenessProbe": {"httpGet": {"host": "8.8.8.8"}},
                          "lifecycle": {"preStop": {"tcpSocket": {"host": "x"}}}}]},
         ['probe or lifecycle host (container "a" uses probe or lifecycle hosts "8.8.8.8", "x")']),
        ({"initContainers": [container("i", privileged=True)],
          "containers": [container("a", privileged=True)]},
         ['privileged (containers "i", "a" must not set securityContext.privileged=true)']),
        (one(procMount="Unmasked"),
         ['procMount (container "a" must not set securityContext.procMount to "Unmasked")']),
        ({**one(procMount="Unmasked"), "hostUsers": False}, []),
        ({"securityContext": {"seLinuxOptions": SELINUX_BAD}, **one(seLinuxOptions={"user": "u"})},
         [('seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: '
          'type "spc_t"; user may not be set; role may not be set)')]),
        (one(seLinuxOptions={"type": "container_engine_t"}), []),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
         ['seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")']),
        (of_pod(sysctls=[{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}, {"name": "x"}]),
         ["forbidden sysctls (kernel.msgmax, x)"]),
        (of_pod(windowsOptions={"hostProcess": True}),
         ["hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"]),
    ],
)  # fmt: skip
def test_baseline(spec: Object, findings: list[str]) -> None:
    assert told(BASELINE, spec) == findings


@pytest.mark.parametrize(
    ("spec", "findings"),
    [
        (one(**TAME), []),
        (one(), [
            ('allowPrivilegeEscalation != false (container "a" must set '
            "securityContext.allowPrivilegeEscalation=false)"),
            'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])',
            'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
            ('seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to '
            '"RuntimeDefault" or "Localhost")'),
        ]),
        (one(**{**TAME, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}}), [
            ('unrestricted capabilities (container "a" must not include "CHOWN" in '
            "securityContext.capabilities.add)"),
        ]),
        ({**one(**TAME), "volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "n", "nfs": {}},
                                     {"name": "e", "emptyDir": {}}]}, [
            'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")',
        ]),
        (one(**{**TAME, "runAsNonRoot": False, "runAsUser": 0}), [
            'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
            'runAsUser=0 (container "a" must not set runAsUser=0)',
        ]),
        ({**one(**{**TAME, "runAsNonRoot": False, "runAsUser": 0}), "hostUsers": False}, []),
        ({**one(**{**TAME, "procMount": "Unmasked"}), "hostUsers": False}, [
            'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
        ]),
        (one(**{**TAME, "seccompProfile": {"type": "Unconfined"}}), [
            'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
        ]),
        ({**one(runAsNonRoot=True), "os": {"name": "windows"}}, []),
    ],
)  # fmt: skip
def test_restricted(spec: Object, findings: list[str]) -> None:
    assert told(RESTRICTED, spec) == findings


@pytest.mark.parametrize(
    ("level", "minor", "spec", "count"),
    [
        (RESTRICTED, 7, one(), 1),  # runAsNonRoot alone
        (RESTRICTED, 8, one(), 2),  # privilege escalation
        (RESTRICTED, 19, one(), 3),  # seccomp
        (RESTRICTED, 22, one(), 4),  # capabilities
        (RESTRICTED, 24, {**one(runAsNonRoot=True), "os": {"name": "windows"}}, 3),
        (RESTRICTED, 34, {**one(**{**TAME, "runAsNonRoot": False}), "hostUsers": False}, 1),
        (BASELINE, 34, {**one(procMount="Unmasked"), "hostUsers": False}, 1),
        (BASELINE, 30, one(seLinuxOptions={"type": "container_engine_t"}), 1),
        (BASELINE, 31, of_pod(sysctls=[{"name": "net.ipv4.tcp_rmem"}]), 1),
        (BASELINE, 33, {"containers": [{"name": "a", "livenessProbe": {"httpGet": {"host": "x"}}}]}, 0),
    ],
)
def test_a_version_means_what_it_meant_then(level: str, minor: int, spec: Object, count: int) -> None:
    assert len(told(level, spec, minor)) == count


def test_annotations_of_old_count_where_they_meant_something() -> None:
    assert told(BASELINE, one(), LATEST, APPARMOR) == [
        (
            "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
            '"container.apparmor.security.beta.kubernetes.io/a="unconfined"")'
        )
    ]
    seccomp = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
    assert told(BASELINE, one(), 18, seccomp) == [
        'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    ]
    assert told(BASELINE, one(), 19, seccomp) == []


def test_rules_are_told_in_the_order_of_their_names() -> None:
    for rules in (BASELINE_RULES, RESTRICTED_RULES):
        assert [rule.name for rule in rules] == sorted(rule.name for rule in rules)
