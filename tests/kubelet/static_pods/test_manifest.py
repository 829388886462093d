"""What a manifest says, as a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kubelet.static_pods.manifests import manifest
from wherry.kubelet.pod import HASH, SOURCE, is_static
from wherry.kubelet.static_pods.manifest import FILE, HTTP, ManifestError, Origin, read_pod, read_pods

ORIGIN = Origin(FILE, "/etc/kubernetes/manifests/web.yaml", "node-1")
URL = Origin(HTTP, "http://127.0.0.1/pods", "node-1")


def test_the_defaults_are_upstreams() -> None:
    text = b"""
apiVersion: v1
kind: Pod
metadata: {name: static-web, labels: {role: myrole}}
spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
"""
    pod = read_pod(text, ORIGIN)
    meta, spec = pod["metadata"], pod["spec"]
    assert (meta["name"], meta["namespace"]) == ("static-web-node-1", "default")
    assert meta["annotations"] == {HASH: meta["uid"], SOURCE: "file"}
    assert len(meta["uid"]) == 32
    assert spec["nodeName"] == "node-1"
    assert spec["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert spec["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert "serviceAccountName" not in spec
    assert pod["status"]["phase"] == "Pending"
    assert is_static(pod)


def test_the_uid_follows_content_and_place() -> None:
    def uid(found: Any, origin: Origin = ORIGIN) -> str:
        told: str = read_pod(json.dumps(found).encode(), origin)["metadata"]["uid"]
        return told

    first = uid(manifest())
    assert first == uid(manifest())
    others = [
        uid(manifest(hostNetwork=True)),
        uid(manifest(), Origin(FILE, "/elsewhere.yaml", "node-1")),
        uid(manifest(), Origin(FILE, ORIGIN.place, "node-2")),
        uid(manifest(), URL),
    ]
    assert len({first, *others}) == 5
    given = read_pod(json.dumps(manifest(metadata={"uid": "12345"})).encode(), ORIGIN)
    assert given["metadata"]["uid"] == given["metadata"]["annotations"][HASH] == "12345"


def test_what_a_url_may_send() -> None:
    one = read_pods(json.dumps(manifest()).encode(), URL)
    assert [pod["metadata"]["annotations"][SOURCE] for pod in one] == ["http"]
    assert "tolerations" not in one[0]["spec"]
    bare = {key: value for key, value in manifest("b").items() if key not in ("apiVersion", "kind")}
    several = {"apiVersion": "v1", "kind": "PodList", "items": [manifest("a"), bare]}
    found = read_pods(json.dumps(several).encode(), URL)
    assert [pod["metadata"]["name"] for pod in found] == ["a-node-1", "b-node-1"]
    assert read_pods(b'{"apiVersion": "v1", "kind": "PodList", "items": []}', URL) == []


SECRET = {"name": "v", "secret": {"secretName": "s"}}
REFUSED: list[tuple[Any, str]] = [
    *(
        (
            manifest(metadata={"uid": uid}),
            (
                f"invalid pod: metadata.uid: Invalid value: {json.dumps(uid)}: must be at most 63 letters, "
                "digits, '-' and '.', the first a letter or digit; leave it out and the node makes one"
            ),
        )
        for uid in ("../../precious", "..", ".", "a/b", "/a", "a\n", "-a", "a_b", "a" * 64, "ä")
    ),
    (manifest(serviceAccountName="builder"), "static pods may not reference serviceaccounts"),
    (manifest(imagePullSecrets=[{"name": "s"}]), "static pods may not reference secrets"),
    (manifest(volumes=[SECRET]), "static pods may not reference secrets"),
    (
        manifest(volumes=[{"name": "v", "configMap": {"name": "c"}}]),
        "static pods may not reference configmaps",
    ),
    (
        manifest(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]),
        "static pods may not reference persistentvolumeclaims",
    ),
    (
        manifest(resourceClaims=[{"name": "gpu", "resourceClaimName": "c"}]),
        "static pods may not reference resourceclaims",
    ),
    (manifest(containers=[]), "invalid pod: spec.containers: Required value"),
    (manifest(""), "invalid pod: name is needed for the pod"),
    (
        manifest(hostNetwork="yes"),
        (
            "couldn't parse as pod(json: cannot unmarshal string into Go struct field "
            "PodSpec.spec.hostNetwork of type bool), please check manifest file"
        ),
    ),
    (
        {"apiVersion": "v1", "kind": "Secret"},
        "couldn't parse as pod(it is Secret), please check manifest file",
    ),
    ([], "couldn't parse as pod(it is list), please check manifest file"),
    ({**manifest(), "apiVersion": "v2"}, "apiVersion: must be v1, is 'v2'"),
]


@pytest.mark.parametrize(("found", "message"), REFUSED)
def test_what_is_refused(found: Any, message: str) -> None:
    with pytest.raises(ManifestError) as raised:
        read_pod(json.dumps(found).encode(), ORIGIN)
    assert str(raised.value) == message


@pytest.mark.parametrize("text", [b"", b"  \n", b"{", b"\x00", b"a: [" * 300, b"- &a [*a]"])
def test_what_is_no_manifest_at_all(text: bytes) -> None:
    with pytest.raises(ManifestError):
        read_pods(text, URL)
