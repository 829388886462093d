"""What a manifest says: the static pod as the node runs it. Pure.

Source: pkg/kubelet/config/common.go (applyDefaults, tryDecodeSinglePod, tryDecodePodList).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from wherry.api import schema
from wherry.api.core.pod_spec.references import api_reference
from wherry.api.core.pod_status import initial_status
from wherry.api.core.pods import PODS
from wherry.kit.yaml_reader import YamlError, read
from wherry.kubelet.pod import FILE, HASH, HTTP, SOURCE
from wherry.objects.meta import Object

MAX_BYTES = 10 * 1024 * 1024
"""Upstream's `maxConfigLength`."""
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,62}")
"""What a manifest may call its pod: it names directories and cgroups. Upstream takes anything here."""
ENDURES = {"operator": "Exists", "effect": "NoExecute"}
"""What every static pod of a file tolerates: nobody evicts it because its node has problems."""

__all__ = ["FILE", "HTTP", "ManifestError", "Origin", "read_pod", "read_pods"]


class ManifestError(ValueError):
    """The manifest is not one of a pod that could be run; says why in one line."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where manifests come from: `kind` is FILE or HTTP, `place` the file's path or the URL."""

    kind: str
    place: str
    node_name: str


def read_pod(text: bytes, origin: Origin) -> Object:
    """The one pod a manifest describes, with upstream's defaults. Raises ManifestError."""
    found = _parse(text)
    if not isinstance(found, dict) or found.get("kind") != "Pod":
        shown = found.get("kind") if isinstance(found, dict) else type(found).__name__
        raise ManifestError(
            f"couldn't parse as pod(it is {shown or 'without a kind'}), please check manifest file"
        )
    return _settled(found, origin)


def read_pods(text: bytes, origin: Origin) -> list[Object]:
    """The pod or the list of pods (kind PodList or List) that was sent. Raises ManifestError."""
    found = _parse(text)
    if isinstance(found, dict) and found.get("kind") in ("PodList", "List"):
        items = found.get("items") or []
        if not isinstance(items, list):
            raise ManifestError("items: must be a list of pods")
        return [_settled({"apiVersion": "v1", "kind": "Pod", **item}, origin) for item in map(_object, items)]
    return [read_pod(text, origin)]


def _parse(text: bytes) -> Any:
    if not text.strip():
        raise ManifestError("the manifest is empty")
    if len(text) > MAX_BYTES:
        raise ManifestError(f"the manifest has more than {MAX_BYTES} bytes")
    try:
        return read(text).value
    except YamlError as error:
        raise ManifestError(f"couldn't parse as pod({error}), please check manifest file") from None


def _object(item: Any) -> Object:
    if not isinstance(item, dict):
        raise ManifestError(f"invalid pod: {type(item).__name__}")
    return item


def _settled(pod: Object, origin: Origin) -> Object:
    """The pod as the node takes it: decoded, named after the node, defaulted, judged."""
    if pod.get("apiVersion") != "v1":
        raise ManifestError(f"apiVersion: must be v1, is {pod.get('apiVersion')!r}")
    pod = {key: value for key, value in pod.items() if key != "status"}
    findings = schema.check(pod, schema.definition(PODS.schema))  # unknown fields are dropped, as upstream's
    if findings.errors:
        raise ManifestError(f"couldn't parse as pod({findings.errors[0]}), please check manifest file")
    metadata = pod.setdefault("metadata", {})
    if not metadata.get("name"):
        raise ManifestError("invalid pod: name is needed for the pod")
    uid = metadata.get("uid") or _hash(pod, origin)
    if not _UID.fullmatch(uid):
        raise ManifestError(
            f"invalid pod: metadata.uid: Invalid value: {json.dumps(uid[:80])}: must be at most 63 letters, "
            "digits, '-' and '.', the first a letter or digit; leave it out and the node makes one"
        )
    for served in ("resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences"):
        metadata.pop(served, None)
    metadata["uid"] = uid
    metadata["name"] = f"{metadata['name']}-{origin.node_name.lower()}"
    metadata["namespace"] = metadata.get("namespace") or "default"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), HASH: uid, SOURCE: origin.kind}
    spec = pod.setdefault("spec", {})
    spec["nodeName"] = origin.node_name
    PODS.strategy.default(pod)
    if origin.kind == FILE and ENDURES not in (spec.get("tolerations") or ()):
        spec["tolerations"] = [*(spec.get("tolerations") or ()), dict(ENDURES)]
    if errors := PODS.strategy.validate(pod, None):
        shown = ", ".join(map(str, errors))
        raise ManifestError(f"invalid pod: {shown if len(errors) == 1 else f'[{shown}]'}")
    if kind := api_reference(pod):
        raise ManifestError(f"static pods may not reference {kind}")
    pod["status"] = initial_status(pod)
    return pod


def _hash(pod: Object, origin: Origin) -> str:
    """A uid that stays as long as the manifest, its place and (of a file) the node stay the same."""
    digest = hashlib.sha256(json.dumps(pod, sort_keys=True).encode())
    if origin.kind == FILE:
        digest.update(f"host:{origin.node_name}file:{origin.place}".encode())
    else:
        digest.update(f"url:{origin.place}".encode())
    return digest.hexdigest()[:32]
