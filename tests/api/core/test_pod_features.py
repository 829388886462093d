"""Fields of pods that came late: what is said of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.core.examples import create, pod
from wherry.api.core.pod_spec.signals import SIGNALS
from wherry.api.core.pods import PODS
from wherry.objects.names import pattern_text

C = "spec.containers[0]"
W = "spec.securityContext.windowsOptions"
SUBDOMAIN = pattern_text(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character",
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    "example.com",
)
WINDOWS = {"spec.os": {"name": "windows"}}
USER = f"{W}.runAsUserName: Invalid value: "
NO_SIGNAL = "may not be set for containers with empty `spec.os.name`"
SOURCE = "spec.volumes[0].projected.sources[0]"
CERTIFICATE = {"signerName": "example.com/s", "keyType": "ED25519", "keyPath": "key"}
KEY_TYPES = '"ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"'
ID = "must be between 0 and 2147483647, inclusive"
KEY = 'must be a domain-prefixed key (such as "acme.io/foo")'
RESPONDERS = "spec.evictionResponders"


def projected(**source: Any) -> dict[str, Any]:
    return {"spec.volumes": [{"name": "v", "projected": {"sources": [source]}}]}


def certificate(**changes: Any) -> dict[str, Any]:
    return projected(podCertificate={**CERTIFICATE, **changes})


def responders(*responders: dict[str, Any]) -> dict[str, Any]:
    return {RESPONDERS: list(responders)}


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    # windows
    "windows on linux": (
        {"spec.os": {"name": "linux"}, W: {"runAsUserName": "a"}},
        [f"{W}: Forbidden: windows options cannot be set for a linux pod"],
    ),
    "windows": ({**WINDOWS, W: {"runAsUserName": r"CORP\user", "gmsaCredentialSpecName": "spec"}}, []),
    "gmsa name": (
        {W: {"gmsaCredentialSpecName": "A_b"}},
        [f'{W}.gmsaCredentialSpecName: Invalid value: "A_b": {SUBDOMAIN}'],
    ),
    "gmsa empty": (
        {W: {"gmsaCredentialSpec": ""}},
        [f'{W}.gmsaCredentialSpec: Invalid value: "": gmsaCredentialSpec cannot be an empty string'],
    ),
    "user empty": ({W: {"runAsUserName": ""}}, [f'{USER}"": runAsUserName cannot be an empty string']),
    "user with a control character": (
        {W: {"runAsUserName": "a\t"}},
        [f'{USER}"a\\t": runAsUserName cannot contain control characters'],
    ),
    "user with two backslashes": (
        {W: {"runAsUserName": r"a\b\c"}},
        [USER + r'"a\\b\\c": runAsUserName cannot contain more than one backslash'],
    ),
    "no user in a domain": (
        {W: {"runAsUserName": "a\\"}},
        [USER + r'"a\\": runAsUserName' + "'s User cannot be empty"],
    ),
    "user of dots in no domain": (
        {W: {"runAsUserName": r".a\. ."}},
        [
            USER + r'".a\\. .": runAsUserName' + "'s Domain doesn't match the NetBios nor the DNS format",
            USER + r'".a\\. .": runAsUserName' + "'s User cannot contain only periods or spaces",
        ],
    ),
    "user with a sign": (
        {W: {"runAsUserName": "a@b"}},
        [f'{USER}"a@b": runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]'],
    ),
    "host process without the host's network": (
        {**WINDOWS, W: {"hostProcess": True}},
        [
            (
                "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any "
                "hostProcess "
                "containers"
            )
        ],
    ),
    "two minds about host processes": (
        {
            **WINDOWS,
            "spec.hostNetwork": True,
            W: {"hostProcess": True},
            f"{C}.securityContext.windowsOptions": {"hostProcess": False},
            "spec.containers[1]": {"name": "b", "image": "i"},
        },
        [
            (
                f"{C}.securityContext.windowsOptions.hostProcess: Invalid value: false: "
                "pod hostProcess value must be "
                "identical if both are specified, was true"
            ),
            (
                'spec: Invalid value: "": If pod contains any hostProcess containers then '
                "all containers must be "
                "HostProcess containers"
            ),
        ],
    ),
    # signals
    "a signal of no system": (
        {f"{C}.lifecycle": {"stopSignal": "SIGTERM"}},
        [f"{C}.lifecycle.stopSignal: Forbidden: {NO_SIGNAL}"],
    ),
    "a signal": ({"spec.os": {"name": "linux"}, f"{C}.lifecycle": {"stopSignal": "SIGRTMIN+3"}}, []),
    "a signal windows has not": (
        {**WINDOWS, f"{C}.lifecycle": {"stopSignal": "SIGHUP"}},
        [
            f'{C}.lifecycle.stopSignal: Unsupported value: "SIGHUP": supported values: "SIGKILL", "SIGTERM"',
        ],
    ),
    # names
    "a long host name": (
        {"spec.hostnameOverride": "a" * 65},
        [f'spec.hostnameOverride: Invalid value: "{"a" * 65}": must be no more than 64 bytes'],
    ),
    "a host name in the host's network": (
        {"spec.hostnameOverride": "a", "spec.hostNetwork": True},
        ["spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true"],
    ),
    "a group without a name": (
        {"spec.schedulingGroup": {}},
        ["spec.schedulingGroup: Required value: must specify one of: `podGroupName`"],
    ),
    "a group with a wrong name": (
        {"spec.schedulingGroup": {"podGroupName": "A_b"}},
        [f'spec.schedulingGroup.podGroupName: Invalid value: "A_b": {SUBDOMAIN}'],
    ),
    # probes
    "a protocol": (
        {f"{C}.livenessProbe": {"httpGet": {"port": 1, "protocol": "HTTP3"}}},
        [
            (
                f'{C}.livenessProbe.httpGet.protocol: Unsupported value: "HTTP3": supported values: '
                '"HTTP1", "HTTP2"'
            ),
        ],
    ),
    "a mode of gRPC": (
        {f"{C}.livenessProbe": {"grpc": {"port": 1, "mode": "Tls"}}},
        [
            f'{C}.livenessProbe.grpc.mode: Unsupported value: "Tls": supported values: "Plaintext", "TLS"',
        ],
    ),
    # volumes
    "mount options": (
        {
            "spec.volumes": [{"name": "v", "emptyDir": {}}],
            f"{C}.volumeMounts": [
                {"name": "v", "mountPath": "/v", "bindMountOptions": ["noexec", "ro", "noexec"]}
            ],
        },
        [
            (
                f'{C}.volumeMounts[0].bindMountOptions[1]: Unsupported value: "ro": supported values: '
                '"nodev", '
                '"noexec", "nosuid"'
            ),
            f'{C}.volumeMounts[0].bindMountOptions[2]: Duplicate value: "noexec"',
        ],
    ),
    "an owner of files": (
        {"spec.volumes": [{"name": "v", "secret": {"secretName": "s", "defaultUser": -1}}]},
        [f"spec.volumes[0].secret.defaultUser: Invalid value: -1: {ID}"],
    ),
    "a mode of an emptyDir": (
        {"spec.volumes": [{"name": "v", "emptyDir": {"mode": 0o2777}}]},
        [
            (
                "spec.volumes[0].emptyDir.mode: Invalid value: 1535: must be a number between "
                "0 and 01777 (octal), "
                "both inclusive"
            )
        ],
    ),
    "a certificate": (certificate(), []),
    "an empty certificate": (
        projected(podCertificate={}),
        [
            f"{SOURCE}.podCertificate.signerName: Required value",
            f'{SOURCE}.podCertificate.keyType: Unsupported value: "": supported values: {KEY_TYPES}',
            (
                f"{SOURCE}.podCertificate: Required value: specify at least one of "
                "credentialBundlePath, keyPath, and "
                "certificateChainPath"
            ),
        ],
    ),
    "a short-lived certificate": (
        certificate(maxExpirationSeconds=3599),
        [
            (
                f"{SOURCE}.podCertificate.maxExpirationSeconds: Invalid value: 3599: if provided, "
                "maxExpirationSeconds must be >= 3600"
            )
        ],
    ),
    "a certificate that lasts": (
        certificate(maxExpirationSeconds=7862401),
        [
            (
                f"{SOURCE}.podCertificate.maxExpirationSeconds: Invalid value: 7862401: if provided, "
                "maxExpirationSeconds must be <= 7862400"
            )
        ],
    ),
    "a certificate's annotations": (
        certificate(userAnnotations={"a": "b"}),
        [(f'{SOURCE}.podCertificate.userAnnotations[a]: Invalid value: "a": {KEY}')],
    ),
    "a bundle of no signer": (
        projected(clusterTrustBundle={"signerName": "s", "path": "p"}),
        [
            (
                f'{SOURCE}.clusterTrustBundle.signerName: Invalid value: "s": must be a fully '
                "qualified domain and "
                "path of the form 'example.com/signer-name'"
            )
        ],
    ),
    # what stands behind a pointer
    "a hook of an ephemeral container, if an empty one": (
        {"spec.ephemeralContainers": [{"name": "e", "image": "i", "lifecycle": {}, "restartPolicy": ""}]},
        [
            *(
                f"spec.ephemeralContainers[0].{field}: Forbidden: cannot be set for an Ephemeral Container"
                for field in ("lifecycle", "restartPolicy")
            ),
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ],
    ),
    # eviction
    "responders": (responders({"name": "example.com/a", "priority": 10000}), []),
    "a responder without anything": (
        responders({}),
        [f"{RESPONDERS}[0].name: Required value", f"{RESPONDERS}[0].priority: Required value"],
    ),
    "a responder of no domain": (
        responders({"name": "a", "priority": 100001}),
        [
            f'{RESPONDERS}[0].name: Invalid value: "a": {KEY}',
            f"{RESPONDERS}[0].priority: Invalid value: 100001: must be less than or equal to 100000",
        ],
    ),
    "a responder in a group": (
        {
            **responders({"name": "example.com/a", "priority": 1000}),
            "spec.schedulingGroup": {"podGroupName": "g"},
        },
        [f"{RESPONDERS}: Forbidden: may not be specified when `schedulingGroup` is specified"],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES.keys())
def test_refusals(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(PODS, pod(**changes)) == expected


def test_linux_has_the_signals_of_its_kernel() -> None:
    assert {"SIGTERM", "SIGRTMIN", "SIGRTMIN+15", "SIGRTMAX-14", "SIGRTMAX"} <= set(SIGNALS["linux"])
    assert len(SIGNALS["linux"]) == 65
