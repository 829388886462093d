"""One change to a pod that was fine, and exactly what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.core.examples import create, pod
from wherry.api.core.pods import PODS
from wherry.objects.names import pattern_text

C = "spec.containers[0]"
LABEL = pattern_text(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    "my-name",
    "123-abc",
)
PORT = "must be between 1 and 65535, inclusive"
NEGATIVE = "must be greater than or equal to 0"

OTHER = {"name": "other", "image": "busybox"}
INIT = {"name": "init", "image": "busybox"}
DATA = {"name": "data", "emptyDir": {}}

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    # containers
    "no containers": ({"spec.containers": []}, ["spec.containers: Required value"]),
    "no name": ({f"{C}.name": ""}, [f"{C}.name: Required value"]),
    "bad name": ({f"{C}.name": "A_b"}, [f'{C}.name: Invalid value: "A_b": {LABEL}']),
    "same name": (
        {"spec.containers[1]": {**OTHER, "name": "nginx"}},
        ['spec.containers[1].name: Duplicate value: "nginx"'],
    ),
    "no image": ({f"{C}.image": ""}, [f"{C}.image: Required value"]),
    "image in blanks": (
        {f"{C}.image": " nginx"},
        [f'{C}.image: Invalid value: " nginx": must not have leading or trailing whitespace'],
    ),
    "pull policy": (
        {f"{C}.imagePullPolicy": "Sometimes"},
        [
            (
                f'{C}.imagePullPolicy: Unsupported value: "Sometimes": '
                'supported values: "Always", "IfNotPresent", "Never"'
            )
        ],
    ),
    "message policy": (
        {f"{C}.terminationMessagePolicy": "Mail"},
        [
            (
                f'{C}.terminationMessagePolicy: Unsupported value: "Mail": '
                'supported values: "File", "FallbackToLogsOnError"'
            )
        ],
    ),
    "restart rules without policy": (
        {f"{C}.restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
        [f"{C}.restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
    ),
    "resize policy": (
        {f"{C}.resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]},
        [f'{C}.resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"'],
    ),
    # ports
    "port 0": ({f"{C}.ports": [{"containerPort": 0}]}, [f"{C}.ports[0].containerPort: Required value"]),
    "port too high": (
        {f"{C}.ports": [{"containerPort": 65536}]},
        [f"{C}.ports[0].containerPort: Invalid value: 65536: {PORT}"],
    ),
    "host port below zero": (
        {f"{C}.ports": [{"containerPort": 80, "hostPort": -1}]},
        [f"{C}.ports[0].hostPort: Invalid value: -1: {PORT}"],
    ),
    "protocol": (
        {f"{C}.ports": [{"containerPort": 80, "protocol": "tcp"}]},
        [f'{C}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
    ),
    "port name without letters": (
        {f"{C}.ports": [{"containerPort": 80, "name": "80"}]},
        [f'{C}.ports[0].name: Invalid value: "80": must contain at least one letter (a-z)'],
    ),
    "same port name": (
        {f"{C}.ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]},
        [f'{C}.ports[1].name: Duplicate value: "a"'],
    ),
    "same host port": (
        {
            f"{C}.ports": [{"containerPort": 80, "hostPort": 8080}],
            "spec.containers[1]": {**OTHER, "ports": [{"containerPort": 81, "hostPort": 8080}]},
        },
        ['spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//8080"'],
    ),
    "host network port": (
        {"spec.hostNetwork": True, f"{C}.ports": [{"containerPort": 80, "hostPort": 81}]},
        [f"{C}.ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"],
    ),
    # environment
    "env without name": ({f"{C}.env": [{"value": "x"}]}, [f"{C}.env[0].name: Required value"]),
    "env name with equals sign": (
        {f"{C}.env": [{"name": "A=B"}]},
        [
            (
                f'{C}.env[0].name: Invalid value: "A=B": a valid environment variable name '
                "must consist only of printable ASCII characters other than '='"
            )
        ],
    ),
    "env from nothing": (
        {f"{C}.env": [{"name": "A", "valueFrom": {}}]},
        [
            (
                f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, '
                "`resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            )
        ],
    ),
    "env with value and source": (
        {
            f"{C}.env": [
                {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
            ]
        },
        [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    "env from two sources": (
        {
            f"{C}.env": [
                {
                    "name": "A",
                    "valueFrom": {
                        "fieldRef": {"fieldPath": "metadata.name"},
                        "secretKeyRef": {"name": "s", "key": "k"},
                    },
                }
            ]
        },
        [f'{C}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time'],
    ),
    "env from unknown field": (
        {f"{C}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.whoops"}}}]},
        [
            (
                f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.whoops": '
                "error converting fieldPath: field label not supported: metadata.whoops"
            )
        ],
    ),
    "env from all labels": (
        {f"{C}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]},
        [
            (
                f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": '
                'supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", '
                '"spec.serviceAccountName", "status.hostIP", "status.hostIPs", '
                '"status.podIP", "status.podIPs"'
            )
        ],
    ),
    "env from one label": (
        {f"{C}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}]},
        [],
    ),
    "env cpu divisor": (
        {
            f"{C}.env": [
                {
                    "name": "A",
                    "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "10m"}},
                }
            ]
        },
        [
            (
                f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": '
                "only divisor's values 1m and 1 are supported with the cpu resource"
            )
        ],
    ),
    "env key of nothing": (
        {f"{C}.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}]},
        [f"{C}.env[0].valueFrom.secretKeyRef.key: Required value"],
    ),
    "envFrom nothing": (
        {f"{C}.envFrom": [{}]},
        [f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
    ),
    "envFrom without name": (
        {f"{C}.envFrom": [{"secretRef": {}}]},
        [f"{C}.envFrom[0].secretRef.name: Required value"],
    ),
    # mounts
    "mount of unknown volume": (
        {f"{C}.volumeMounts": [{"name": "nope", "mountPath": "/x"}]},
        [f'{C}.volumeMounts[0].name: Not found: "nope"'],
    ),
    "mount without path": (
        {"spec.volumes": [DATA], f"{C}.volumeMounts": [{"name": "data", "mountPath": ""}]},
        [f"{C}.volumeMounts[0].mountPath: Required value"],
    ),
    "two mounts at one place": (
        {
            "spec.volumes": [DATA],
            f"{C}.volumeMounts": [{"name": "data", "mountPath": "/x"}, {"name": "data", "mountPath": "/x"}],
        },
        [f'{C}.volumeMounts[1].mountPath: Invalid value: "/x": must be unique'],
    ),
    "mount leaving its volume": (
        {
            "spec.volumes": [DATA],
            f"{C}.volumeMounts": [{"name": "data", "mountPath": "/x", "subPath": "../y"}],
        },
        [f"{C}.volumeMounts.subPath: Invalid value: \"../y\": must not contain '..'"],
    ),
    "propagation without privilege": (
        {
            "spec.volumes": [DATA],
            f"{C}.volumeMounts": [{"name": "data", "mountPath": "/x", "mountPropagation": "Bidirectional"}],
        },
        [
            (
                f"{C}.volumeMounts.mountPropagation: Forbidden: "
                "Bidirectional mount propagation is available only to privileged containers"
            )
        ],
    ),
    "device of a directory": (
        {"spec.volumes": [DATA], f"{C}.volumeDevices": [{"name": "data", "devicePath": "/dev/x"}]},
        [
            (
                f'{C}.volumeDevices[0].name: Invalid value: "data": '
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            )
        ],
    ),
    # resources
    "request above limit": (
        {f"{C}.resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2000m"}}},
        [f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ),
    "negative": (
        {f"{C}.resources": {"limits": {"memory": "-1"}}},
        [
            f'{C}.resources.limits[memory]: Invalid value: "-1": {NEGATIVE}',
            f'{C}.resources.requests[memory]: Invalid value: "-1": {NEGATIVE}',
        ],
    ),
    "unknown resource": (
        {f"{C}.resources": {"requests": {"wheels": "1"}}},
        [
            (
                f'{C}.resources.requests[wheels]: Invalid value: "wheels": '
                "must be a standard resource type or fully qualified"
            ),
            (
                f'{C}.resources.requests[wheels]: Invalid value: "wheels": '
                "must be a standard resource for containers"
            ),
        ],
    ),
    "part of a device": (
        {f"{C}.resources": {"limits": {"example.com/gpu": "500m"}}},
        [
            f'{C}.resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
            f'{C}.resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
        ],
    ),
    "device without limit": (
        {f"{C}.resources": {"requests": {"example.com/gpu": "1"}}},
        [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    "huge pages alone": (
        {f"{C}.resources": {"limits": {"hugepages-2Mi": "4Mi"}}},
        [f"{C}.resources: Forbidden: HugePages require cpu or memory"],
    ),
    "huge pages that do not fit": (
        {f"{C}.resources": {"limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}}},
        [
            f'{C}.resources.{kind}[hugepages-2Mi]: Invalid value: "3Mi": '
            "3Mi is not positive integer multiple of hugepages-2Mi"
            for kind in ("limits", "requests")
        ],
    ),
    "unknown claim": (
        {f"{C}.resources": {"claims": [{"name": "gpu"}]}},
        [
            (
                f'{C}.resources.claims[0]: Not found: "gpu": '
                "must be one of the names in pod.spec.resourceClaims which is empty"
            )
        ],
    ),
    # probes and hooks
    "probe without handler": (
        {f"{C}.livenessProbe": {}},
        [f"{C}.livenessProbe: Required value: must specify a handler type"],
    ),
    "probe with two handlers": (
        {f"{C}.livenessProbe": {"exec": {"command": ["true"]}, "tcpSocket": {"port": 80}}},
        [f"{C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    "probe of nothing": (
        {f"{C}.readinessProbe": {"exec": {}}},
        [f"{C}.readinessProbe.exec.command: Required value"],
    ),
    "probe of port 0": (
        {f"{C}.readinessProbe": {"httpGet": {"port": 0}}},
        [f"{C}.readinessProbe.httpGet.port: Invalid value: 0: {PORT}"],
    ),
    "probe scheme": (
        {f"{C}.readinessProbe": {"httpGet": {"port": 80, "scheme": "ftp"}}},
        [f'{C}.readinessProbe.httpGet.scheme: Unsupported value: "ftp": supported values: "HTTP", "HTTPS"'],
    ),
    "liveness successes": (
        {f"{C}.livenessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2}},
        [f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    "probe times": (
        {f"{C}.startupProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": -1}},
        [f"{C}.startupProbe.initialDelaySeconds: Invalid value: -1: {NEGATIVE}"],
    ),
    "readiness grace": (
        {f"{C}.readinessProbe": {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 5}},
        [
            (
                f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: "
                "must not be set for readinessProbes"
            )
        ],
    ),
    "sleeping too long": (
        {f"{C}.lifecycle.preStop": {"sleep": {"seconds": 31}}},
        [
            (
                f"{C}.lifecycle.preStop.sleep: Invalid value: 31: "
                "must be non-negative and less than terminationGracePeriodSeconds (30)"
            )
        ],
    ),
    # init and ephemeral containers
    "init container named as a regular one": (
        {"spec.initContainers": [{**INIT, "name": "nginx"}]},
        ['spec.initContainers[0].name: Duplicate value: "nginx"'],
    ),
    "probe of an init container": (
        {"spec.initContainers": [{**INIT, "readinessProbe": {"tcpSocket": {"port": 80}}}]},
        [
            (
                "spec.initContainers[0].readinessProbe: Forbidden: "
                "may not be set for init containers without restartPolicy=Always"
            )
        ],
    ),
    "probe of a sidecar": (
        {
            "spec.initContainers": [
                {**INIT, "restartPolicy": "Always", "readinessProbe": {"tcpSocket": {"port": 80}}}
            ]
        },
        [],
    ),
    "ephemeral on create": (
        {"spec.ephemeralContainers": [OTHER]},
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
    "ephemeral with duties": (
        {
            "spec.ephemeralContainers": [
                {**OTHER, "ports": [{"containerPort": 80}], "targetContainerName": "nobody"}
            ]
        },
        [
            'spec.ephemeralContainers[0].targetContainerName: Not found: "nobody"',
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ],
    ),
    # the pod
    "restart policy": (
        {"spec.restartPolicy": "Maybe"},
        ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"'],
    ),
    "dns policy": (
        {"spec.dnsPolicy": "Guess"},
        [
            (
                'spec.dnsPolicy: Unsupported value: "Guess": supported values: '
                '"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'
            )
        ],
    ),
    "own dns without any": (
        {"spec.dnsPolicy": "None"},
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    "too many nameservers": (
        {"spec.dnsConfig": {"nameservers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]}},
        [
            (
                'spec.dnsConfig.nameservers: Invalid value: ["10.0.0.1","10.0.0.2","10.0.0.3","10.0.0.4"]: '
                "must not have more than 3 nameservers"
            )
        ],
    ),
    "search domains with underscores": ({"spec.dnsConfig": {"searches": ["_tcp.example.com", "."]}}, []),
    "deadline": (
        {"spec.activeDeadlineSeconds": 0},
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    "node selector": (
        {"spec.nodeSelector": {"disk": "s s d"}},
        [
            'spec.nodeSelector: Invalid value: "s s d": '
            + pattern_text(
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
                "'.', and must start and end with an alphanumeric character",
                "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
                "MyValue",
                "my_value",
                "12345",
            )
        ],
    ),
    "host alias": (
        {"spec.hostAliases": [{"ip": "nowhere", "hostnames": ["a"]}]},
        [
            (
                'spec.hostAliases[0].ip: Invalid value: "nowhere": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            )
        ],
    ),
    "node and gates": (
        {"spec.nodeName": "n1", "spec.schedulingGates": [{"name": "a"}]},
        ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    ),
    "same gate": (
        {"spec.schedulingGates": [{"name": "a"}, {"name": "a"}]},
        ['spec.schedulingGates[1]: Duplicate value: "a"'],
    ),
    "preemption": (
        {"spec.preemptionPolicy": "Often"},
        [
            (
                'spec.preemptionPolicy: Unsupported value: "Often": '
                'supported values: "PreemptLowerPriority", "Never"'
            )
        ],
    ),
    "overhead": (
        {"spec.overhead": {"cpu": "-1"}},
        [f'spec.overhead.limits[cpu]: Invalid value: "-1": {NEGATIVE}'],
    ),
    "operating system": (
        {"spec.os": {"name": "plan9"}},
        ['spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'],
    ),
    "user on windows": (
        {"spec.os": {"name": "windows"}, "spec.securityContext": {"runAsUser": 1}},
        ["spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod"],
    ),
    "deletion cost": (
        {"metadata.annotations": {"controller.kubernetes.io/pod-deletion-cost": "+1"}},
        [
            (
                "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: "
                'Invalid value: "+1": must be a 32bit integer'
            )
        ],
    ),
    "mirror without node": (
        {"metadata.annotations": {"kubernetes.io/config.mirror": "x"}},
        [
            (
                'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": '
                "must set spec.nodeName if mirror pod annotation is set"
            )
        ],
    ),
    "pod below its containers": (
        {
            f"{C}.resources": {"requests": {"cpu": "2"}},
            "spec.resources": {"requests": {"cpu": "1"}},
        },
        [
            (
                'spec.resources.requests[cpu]: Invalid value: "1": '
                "must be greater than or equal to aggregate container requests of 2"
            )
        ],
    ),
    # security
    "user id": (
        {"spec.securityContext": {"runAsUser": -1}},
        ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    "group id of a container": (
        {f"{C}.securityContext": {"runAsGroup": 2**31}},
        [
            (
                f"{C}.securityContext.runAsGroup: Invalid value: 2147483648: "
                "must be between 0 and 2147483647, inclusive"
            )
        ],
    ),
    "privileged without escalation": (
        {f"{C}.securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
        [
            (
                f"{C}.securityContext: Invalid value: "
                '{"privileged":true,"allowPrivilegeEscalation":false}: '
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            )
        ],
    ),
    "seccomp type": (
        {"spec.securityContext": {"seccompProfile": {"type": "Loose"}}},
        [
            (
                'spec.securityContext.seccompProfile.type: Unsupported value: "Loose": '
                'supported values: "Localhost", "RuntimeDefault", "Unconfined"'
            )
        ],
    ),
    "seccomp without profile": (
        {"spec.securityContext": {"seccompProfile": {"type": "Localhost"}}},
        [
            (
                "spec.securityContext.seccompProfile.localhostProfile: Required value: "
                "must be set when seccomp type is Localhost"
            )
        ],
    ),
    "sysctl": (
        {"spec.securityContext": {"sysctls": [{"name": "a b", "value": "1"}]}},
        [
            (
                'spec.securityContext.sysctls[0].name: Invalid value: "a b": '
                "must have at most 253 characters "
                r"and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            )
        ],
    ),
    "shared processes with the host's": (
        {"spec.shareProcessNamespace": True, "spec.hostPID": True},
        [
            (
                "spec.securityContext.shareProcessNamespace: Invalid value: true: "
                "ShareProcessNamespace and HostPID cannot both be enabled"
            )
        ],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(PODS, pod(**changes)) == expected


def test_a_pod_with_everything_is_fine() -> None:
    obj = pod(
        **{
            "spec.volumes": [
                DATA,
                {"name": "cfg", "configMap": {"name": "c", "items": [{"key": "a", "path": "b"}]}},
            ],
            f"{C}.volumeMounts": [
                {"name": "data", "mountPath": "/data", "subPathExpr": "$(POD)"},
                {"name": "cfg", "mountPath": "/cfg", "readOnly": True, "recursiveReadOnly": "IfPossible"},
            ],
            f"{C}.env": [
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
                {
                    "name": "M",
                    "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
                },
            ],
            f"{C}.resources": {"limits": {"cpu": "1", "memory": "1Gi", "example.com/gpu": "2"}},
            f"{C}.livenessProbe": {"httpGet": {"port": "http"}},
            f"{C}.lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            "spec.initContainers": [INIT],
            "spec.tolerations": [{"operator": "Exists"}],
            "spec.imagePullSecrets": [{"name": "s"}],
        }
    )
    assert create(PODS, obj) == []
