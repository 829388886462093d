"""What a container is made from: a rendering of its spec, given its environment and mounts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.kubelet.allocation.allocations import RESOURCES
from wherry.kubelet.cgroups import container_resources
from wherry.kubelet.devices.assignments import DeviceOptions
from wherry.kubelet.environment import ConfigFailure
from wherry.kubelet.expansion import LONGEST_ALL, TooLong, expand, missing_references, size_of
from wherry.kubelet.logs import log_name
from wherry.kubelet.observation import GRACE, HASH
from wherry.kubelet.plan import Start
from wherry.kubelet.pod import container_hash, grace_period_s
from wherry.kubelet.runtimes.containers import ContainerSpec, Mount
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.labels import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID
from wherry.kubelet.security import check_non_root, merge_security
from wherry.kubelet.termination_message import DEFAULT_PATH
from wherry.kubelet.unsupported import refuse_container
from wherry.kubelet.volumes.base import MountedVolume, Mounts
from wherry.kubelet.volumes.sub_path import bind_sub_path
from wherry.objects.meta import Object, name_of, namespace_of, uid_of

PREFIX = "io.kubernetes.container"
NO_DEVICES = DeviceOptions()


@dataclass(frozen=True, slots=True)
class NodeTerms:
    """What is the node's part of every container; `memory_bytes` is all it has."""

    memory_bytes: int
    least_oom_score: int = -1000
    seccomp_default: bool = False
    huge_pages: tuple[int, ...] = ()
    """Sizes in bytes of the huge pages there are."""


def container_spec(
    pod: Object,
    start: Start,
    image: Image,
    env: Sequence[tuple[str, str]],
    mounts: Sequence[Mount],
    node: NodeTerms,
    devices: DeviceOptions = NO_DEVICES,
) -> ContainerSpec:
    """What the runtime is to make, with what `devices` bring.

    Raises ConfigFailure when `runAsNonRoot` forbids it, the container to look into is not there, or
    command and arguments are longer than a program can be given.
    """
    container = start.container
    target = container.get("targetContainerName")
    if target and not start.target_id:
        raise ConfigFailure(f"unable to find target container {target}")
    refusal = refuse_container(container)
    if refusal:
        raise ConfigFailure(refusal)
    security = merge_security(pod, container, seccomp_default=node.seccomp_default)
    forbidden = check_non_root(pod, container, security, image)
    if forbidden:
        raise ConfigFailure(forbidden)
    scope = dict(env)
    uid = uid_of(pod)
    return ContainerSpec(
        name=container["name"],
        attempt=start.attempt,
        image=image.id,
        command=_expanded(container, "command", scope),
        args=_expanded(container, "args", scope),
        working_dir=container.get("workingDir") or "",
        env=(*devices.env, *env),
        mounts=(*devices.mounts, *mounts),
        devices=devices.devices,
        cdi_devices=devices.cdi_devices,
        log_path=log_name(container["name"], start.attempt),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        labels={
            CONTAINER_NAME: container["name"],
            POD_NAME: name_of(pod),
            POD_NAMESPACE: namespace_of(pod),
            POD_UID: uid,
        },
        annotations={**devices.annotations, **_annotations(pod, container, start.attempt)},
        resources=container_resources(
            pod, container, node.memory_bytes, node.least_oom_score, node.huge_pages
        ),
        security=security,
        target_container_id=start.target_id,
    )


def _expanded(container: Mapping[str, Any], name: str, scope: Mapping[str, str]) -> tuple[str, ...]:
    parts = []
    left = LONGEST_ALL
    for index, part in enumerate(container.get(name) or ()):
        try:
            parts.append(expand(part, scope))
        except TooLong as error:
            raise ConfigFailure(f"{name}[{index}]: {error}") from None
        left -= size_of(parts[-1])
        if left < 0:
            raise ConfigFailure(f"{name} is longer than {LONGEST_ALL} bytes")
    return tuple(parts)


def _annotations(pod: Object, container: Mapping[str, Any], attempt: int) -> dict[str, str]:
    """What an agent that knows nothing of the pod any more needs to stop its containers well."""
    annotations = {
        HASH: container_hash(container),
        f"{PREFIX}.restartCount": str(attempt),
        f"{PREFIX}.terminationMessagePath": container.get("terminationMessagePath") or DEFAULT_PATH,
        f"{PREFIX}.terminationMessagePolicy": container.get("terminationMessagePolicy") or "File",
        GRACE: str(grace_period_s(pod)),
        RESOURCES: json.dumps(container.get("resources") or {}, separators=(",", ":")),
    }
    pre_stop = (container.get("lifecycle") or {}).get("preStop")
    if pre_stop:
        annotations[f"{PREFIX}.preStopHandler"] = json.dumps({"preStop": pre_stop})
    return annotations


def container_mounts(
    container: Mapping[str, Any],
    volumes: Mapping[str, MountedVolume],
    env: Sequence[tuple[str, str]],
    mounts: Mounts,
    sub_paths: Path,
    *,
    recursive: bool = False,
) -> list[Mount]:
    """The container's volume mounts; sub-paths are bound below `sub_paths`.

    `recursive` tells whether the runtime makes mounts recursively read-only.
    Raises ConfigFailure for a volume the pod does not have, a sub-path that cannot be expanded or a mode the
    runtime does not have, and MountFailure for a sub-path that leads outside its volume.
    """
    scope = dict(env)
    result = []
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount["name"] not in volumes:
            raise ConfigFailure(
                f'cannot find volume "{mount["name"]}" to mount into container "{container["name"]}"'
            )
        volume = volumes[mount["name"]]
        path, sub_path = volume.path, _sub_path(mount, scope)
        if sub_path:
            target = sub_paths / mount["name"] / container["name"] / str(index)
            path = bind_sub_path(mounts, path, sub_path, target, is_made=not volume.read_only)
        result.append(
            Mount(
                str(path),
                _container_path(mount["mountPath"]),
                volume.read_only or bool(mount.get("readOnly")),
                mount.get("mountPropagation") or "None",
                is_recursive_read_only(mount, supported=recursive),
                volume.relabel,
            )
        )
    return result


def _sub_path(mount: Mapping[str, Any], scope: Mapping[str, str]) -> str:
    """The part of the volume to show, "" for all of it. Raises ConfigFailure."""
    expression = mount.get("subPathExpr")
    if not expression:
        return mount.get("subPath") or ""
    missing = missing_references(expression, scope)
    if missing:
        raise ConfigFailure(f"missing value for {missing[0]!r}")
    try:
        return expand(expression, scope)
    except TooLong as error:
        raise ConfigFailure(f"subPathExpr of {mount['mountPath']}: {error}") from None


def is_recursive_read_only(mount: Mapping[str, Any], *, supported: bool) -> bool:
    """Whether what is mounted below a volume is read-only too (resolveRecursiveReadOnly; KEP-3857).

    Raises ConfigFailure for what cannot be had.
    """
    mode = mount.get("recursiveReadOnly") or "Disabled"
    if mode == "Disabled":
        return False
    asked = (
        "failed to resolve recursive read-only mode: "
        f'volume "{mount["name"]}" requested recursive read-only mode, but it is not '
    )
    propagation = mount.get("mountPropagation") or "None"
    if not mount.get("readOnly"):
        raise ConfigFailure(f"{asked}read-only")
    if propagation != "None":
        raise ConfigFailure(f'{asked}compatible with propagation "{propagation}"')
    if mode == "Enabled" and not supported:
        raise ConfigFailure(f"{asked}supported by the runtime")
    return supported


def _container_path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
