"""Containers: regular, init and ephemeral ones, and what sets each apart."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.core.pod_spec.context import PodContext
from wherry.api.core.pod_spec.environment import validate_environment
from wherry.api.core.pod_spec.mounts import validate_mounts
from wherry.api.core.pod_spec.ports import validate_host_ports, validate_ports
from wherry.api.core.pod_spec.probes import validate_probes
from wherry.api.core.pod_spec.resources import validate_resources
from wherry.api.core.pod_spec.restarts import validate_restarts
from wherry.api.core.pod_spec.rules import Errors, Fields, check_given_choice, check_name
from wherry.api.core.pod_spec.security import validate_container_security
from wherry.objects.errors import (
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    value_not_found,
)
from wherry.objects.names import dns1123_label_errors

PULL_POLICIES = ("Always", "IfNotPresent", "Never")

_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_HOOKS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = ("ports", "resources", *_HOOKS, "resizePolicy", "restartPolicy", "restartPolicyRules")
_POINTERS = frozenset((*_HOOKS, "restartPolicy"))


def validate_containers(containers: Sequence[Fields], path: str, context: PodContext, errors: Errors) -> None:
    """The pod's regular containers, of which there must be one."""
    if not containers:
        errors.append(required(path))
        return
    names: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        _validate_container(container, at, context, errors)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate_value(f"{at}.name", name))
        names.add(name)
        validate_probes(container, at, context, errors)
        validate_restarts(container, at, errors)
    validate_host_ports(containers, path, errors)


def validate_init_containers(
    containers: Sequence[Fields],
    regular: Sequence[Fields],
    path: str,
    context: PodContext,
    errors: Errors,
) -> None:
    """Init containers; with restartPolicy Always one is a sidecar, and may have what regular ones have."""
    names = {container.get("name") for container in regular}
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        _validate_container(container, at, context, errors)
        validate_restarts(container, at, errors)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate_value(f"{at}.name", name))
        elif name:
            names.add(name)
        validate_host_ports((container,), path, errors)
        if container.get("restartPolicy") == "Always":
            validate_probes(container, at, context, errors)
            continue
        detail = "may not be set for init containers without restartPolicy=Always"
        for hook in _HOOKS:
            if container.get(hook) is not None:
                errors.append(forbidden_value(f"{at}.{hook}", detail))


def validate_ephemeral_containers(spec: Fields, path: str, context: PodContext, errors: Errors) -> None:
    """Ephemeral containers of a pod: debugging company, without any duties."""
    containers = spec.get("ephemeralContainers") or ()
    others = {
        container.get("name")
        for field in ("containers", "initContainers")
        for container in spec.get(field) or ()
    }
    names = set(others)
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        _validate_container(container, at, context, errors)
        if not context.is_pod:
            validate_image_spaces(container, at, errors)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate_value(f"{at}.name", name))
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(value_not_found(f"{at}.targetContainerName", target))
        refused = "cannot be set for an Ephemeral Container"
        for field in _NOT_EPHEMERAL:
            value = container.get(field)
            if value or (value is not None and field in _POINTERS):
                errors.append(forbidden_value(f"{at}.{field}", refused))
        for inner, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    errors.append(forbidden_value(f"{at}.volumeMounts[{inner}].{field}", refused))


def validate_image_spaces(container: Fields, path: str, errors: Errors) -> None:
    """Real pods (templates are older than the rule) may not have an image name in blanks."""
    image = container.get("image") or ""
    if image != image.strip():
        detail = "must not have leading or trailing whitespace"
        errors.append(invalid_value(f"{path}.image", image, detail))


def _validate_container(container: Fields, path: str, context: PodContext, errors: Errors) -> None:
    """What holds for every kind of container."""
    check_name(dns1123_label_errors, container.get("name"), f"{path}.name", errors)
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    elif context.is_pod:
        validate_image_spaces(container, path, errors)
    policy = container.get("terminationMessagePolicy")
    check_given_choice(policy, _MESSAGE_POLICIES, f"{path}.terminationMessagePolicy", errors)
    if ports := container.get("ports"):
        validate_ports(ports, f"{path}.ports", errors)
    validate_environment(container, path, context, errors)
    validate_mounts(container, path, context, errors)
    check_given_choice(container.get("imagePullPolicy"), PULL_POLICIES, f"{path}.imagePullPolicy", errors)
    if resources := container.get("resources"):
        validate_resources(resources, f"{path}.resources", context.claims, errors)
    if policies := container.get("resizePolicy"):
        _validate_resize(policies, f"{path}.resizePolicy", context.restart_policy, errors)
    validate_container_security(
        container.get("securityContext"), f"{path}.securityContext", context.host_users, errors
    )


def _validate_resize(policies: Sequence[Fields], path: str, restart_policy: str, errors: Errors) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            errors.append(duplicate_value(f"{path}[{index}]", name))
        seen.add(name)
        for value, choices in ((name, ("cpu", "memory")), (restart, _RESIZE_POLICIES)):
            if not value:
                errors.append(required(path))
            elif value not in choices:
                errors.append(not_supported(path, value, choices))
        if restart_policy == "Never" and restart != "NotRequired":
            detail = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            errors.append(invalid_value(path, restart, detail))
