"""Reading a pod: its containers by kind, its policies, its names.

Pure readers over the API object, in one place so that plan, status and workers agree on what a
sidecar is or how long a pod may take to stop.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from wherry.objects.meta import Object, annotations_of, metadata, name_of, namespace_of, uid_of

SOURCE = "kubernetes.io/config.source"
HASH = "kubernetes.io/config.hash"
API, FILE, HTTP = "api", "file", "http"
"""Where a pod comes from, as the annotation `SOURCE` says it."""
TERMINAL_PHASES = ("Succeeded", "Failed")
DEFAULT_GRACE_S = 30


def spec_of(pod: Mapping[str, Any]) -> Object:
    """The pod's spec, empty when absent."""
    return pod.get("spec") or {}


def status_of(pod: Mapping[str, Any]) -> Object:
    """The pod's status, empty when absent."""
    return pod.get("status") or {}


def regular_containers(pod: Mapping[str, Any]) -> list[Object]:
    """The containers the pod is there for."""
    return spec_of(pod).get("containers") or []


def init_containers(pod: Mapping[str, Any]) -> list[Object]:
    """The containers that come first, sidecars among them, in order."""
    return spec_of(pod).get("initContainers") or []


def ephemeral_containers(pod: Mapping[str, Any]) -> list[Object]:
    """The containers added to the running pod for debugging."""
    return spec_of(pod).get("ephemeralContainers") or []


def all_containers(pod: Mapping[str, Any]) -> list[Object]:
    """Init, regular and ephemeral containers."""
    return [*init_containers(pod), *regular_containers(pod), *ephemeral_containers(pod)]


def find_container(pod: Mapping[str, Any], name: str) -> Object | None:
    """The container of that name, of whatever kind."""
    return next((c for c in all_containers(pod) if c["name"] == name), None)


def is_sidecar(init_container: Mapping[str, Any]) -> bool:
    """Whether an init container stays and is restarted for as long as the pod lives."""
    return init_container.get("restartPolicy") == "Always"


def restart_policy(pod: Mapping[str, Any]) -> str:
    """`Always`, `OnFailure` or `Never`."""
    policy: str = spec_of(pod).get("restartPolicy") or "Always"
    return policy


def should_restart(pod: Mapping[str, Any], container: Mapping[str, Any], exit_code: int) -> bool:
    """Whether a container that ended with `exit_code` is to run again.

    The container's own rules and policy come before the pod's.
    """
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = exit_code in (codes.get("values") or ())
        if rule.get("action") == "Restart" and listed == (codes.get("operator") == "In"):
            return True
    policy = container.get("restartPolicy") or restart_policy(pod)
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def is_static(pod: Mapping[str, Any]) -> bool:
    """Whether a file or a URL says that the node runs the pod (upstream's IsStaticPod)."""
    return annotations_of(pod).get(SOURCE, API) != API


def as_from_api(pod: Object) -> Object:
    """A pod of the API server: what it claims of its origin does not count. Mostly the very `pod`."""
    if not is_static(pod):
        return pod
    meta = metadata(pod)
    return {**pod, "metadata": {**meta, "annotations": {**meta["annotations"], SOURCE: API}}}


def uses_host_network(pod: Mapping[str, Any]) -> bool:
    """Whether the pod lives in the machine's own network."""
    return bool(spec_of(pod).get("hostNetwork"))


def has_own_users(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's users are none of the machine's: it is root of itself alone (KEP-127)."""
    return spec_of(pod).get("hostUsers") is False


def grace_period_s(pod: Mapping[str, Any]) -> int:
    """Seconds the pod has to stop: as its deletion says, else as its spec says."""
    asked = metadata(pod).get("deletionGracePeriodSeconds")
    if asked is None:
        asked = spec_of(pod).get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE_S if asked is None else int(asked)


def is_terminal(pod: Mapping[str, Any]) -> bool:
    """Whether the API server already holds the pod's end."""
    return status_of(pod).get("phase") in TERMINAL_PHASES


def describe(pod: Mapping[str, Any]) -> str:
    """`name_namespace(uid)`, as upstream names a pod in messages."""
    return f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"


def container_hash(container: Mapping[str, Any]) -> str:
    """What makes a running container another one: its name and image."""
    chosen = {"name": container.get("name"), "image": container.get("image")}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:8]


def container_status(pod: Mapping[str, Any], name: str) -> Object:
    """The status the API server holds for a container, empty when none."""
    status = status_of(pod)
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(kind) or ():
            if entry.get("name") == name:
                found: Object = entry
                return found
    return {}


def field_path(pod: Mapping[str, Any], name: str) -> str:
    """Where in the spec a container stands, as events point at it."""
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        if any(c["name"] == name for c in spec_of(pod).get(kind) or ()):
            return f"spec.{kind}{{{name}}}"
    return ""
