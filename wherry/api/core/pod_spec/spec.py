"""A whole `PodSpec`, of a pod or inside a template: everything but what only the kind around it knows."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.core.pod_spec.affinity import validate_affinity
from wherry.api.core.pod_spec.annotations import validate_pod_annotations
from wherry.api.core.pod_spec.containers import (
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from wherry.api.core.pod_spec.context import PodContext
from wherry.api.core.pod_spec.eviction import validate_eviction
from wherry.api.core.pod_spec.network import validate_network
from wherry.api.core.pod_spec.operating_system import validate_operating_system
from wherry.api.core.pod_spec.pod_level import validate_pod_level_resources
from wherry.api.core.pod_spec.ports import validate_host_network_ports
from wherry.api.core.pod_spec.resources import validate_resources
from wherry.api.core.pod_spec.rules import MAX_INT32, Errors, Fields, check, check_given_choice
from wherry.api.core.pod_spec.scheduling import (
    validate_gates,
    validate_group,
    validate_spread,
    validate_tolerations,
)
from wherry.api.core.pod_spec.security import validate_pod_security
from wherry.api.core.pod_spec.volumes import validate_volumes
from wherry.api.core.pod_spec.windows import validate_host_processes
from wherry.api.validation import validate_annotations, validate_labels
from wherry.objects.errors import FieldError, duplicate_value, forbidden_value, invalid_value, required
from wherry.objects.meta import annotations_of, labels_of
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors, range_text

RESTART_POLICIES = ("Always", "OnFailure", "Never")

_NAMES = ("serviceAccountName", "nodeName", "priorityClassName")


def validate_pod_template(template: Fields, path: str) -> list[FieldError]:
    """What is wrong with a `PodTemplateSpec` at `path` (as `spec.template`)."""
    errors: Errors = []
    spec = template.get("spec") or {}
    errors.extend(validate_labels(labels_of(template), f"{path}.labels"))
    if annotations := annotations_of(template):
        errors.extend(validate_annotations(annotations, f"{path}.annotations"))
        validate_pod_annotations(annotations, spec, f"{path}.annotations", errors)
    validate_pod_spec(spec, f"{path}.spec", errors)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        errors.append(forbidden_value(f"{path}.spec.ephemeralContainers", detail))
    return errors


def validate_pod_spec(
    spec: Fields, path: str, errors: Errors, *, is_pod: bool = False, pod_name: str = ""
) -> None:
    """Add what is wrong with a `PodSpec`; with `is_pod` also by the rules templates are spared."""
    grace_s = spec.get("terminationGracePeriodSeconds")
    if grace_s is None:
        errors.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes = validate_volumes(spec.get("volumes") or (), f"{path}.volumes", is_pod, pod_name, errors)
    claims = _validate_claims(spec.get("resourceClaims") or (), f"{path}.resourceClaims", errors)
    context = PodContext(
        is_pod=is_pod,
        volumes=volumes,
        claims=claims,
        grace_s=grace_s,
        restart_policy=spec.get("restartPolicy") or "",
        host_users=spec.get("hostUsers") is not False,
        system=(spec.get("os") or {}).get("name") or "",
    )
    _validate_all_containers(spec, path, context, errors)
    check_given_choice(spec.get("restartPolicy"), RESTART_POLICIES, f"{path}.restartPolicy", errors)
    if selector := spec.get("nodeSelector"):
        errors.extend(validate_labels(selector, f"{path}.nodeSelector"))
    validate_pod_security(spec, path, errors)
    validate_affinity(spec.get("affinity"), f"{path}.affinity", errors)
    validate_network(spec, path, errors)
    validate_gates(spec, path, errors)
    validate_group(spec, path, errors)
    if constraints := spec.get("topologySpreadConstraints"):
        validate_spread(constraints, f"{path}.topologySpreadConstraints", errors)
    if tolerations := spec.get("tolerations"):
        validate_tolerations(tolerations, f"{path}.tolerations", errors)
    _validate_scalars(spec, path, errors)
    if overhead := spec.get("overhead"):
        validate_resources({"limits": overhead}, f"{path}.overhead", claims, errors)
    validate_operating_system(spec, path, errors)
    validate_host_processes(spec, path, errors)
    validate_eviction(spec, path, errors)


def _validate_all_containers(spec: Fields, path: str, context: PodContext, errors: Errors) -> None:
    containers = spec.get("containers") or ()
    validate_containers(containers, f"{path}.containers", context, errors)
    if init := spec.get("initContainers"):
        validate_init_containers(init, containers, f"{path}.initContainers", context, errors)
    if spec.get("ephemeralContainers"):
        validate_ephemeral_containers(spec, f"{path}.ephemeralContainers", context, errors)
    if spec.get("resources"):
        validate_pod_level_resources(spec, f"{path}.resources", errors)
    if spec.get("hostNetwork"):
        validate_host_network_ports(containers, f"{path}.containers", context.is_pod, errors)


def _validate_scalars(spec: Fields, path: str, errors: Errors) -> None:
    for field in _NAMES:
        if name := spec.get(field):
            check(dns1123_subdomain_errors, name, f"{path}.{field}", errors)
    if (runtime := spec.get("runtimeClassName")) is not None:
        check(dns1123_subdomain_errors, runtime, f"{path}.runtimeClassName", errors)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_INT32:
        errors.append(invalid_value(f"{path}.activeDeadlineSeconds", deadline, range_text(1, MAX_INT32)))
    if (policy := spec.get("preemptionPolicy")) is not None:
        choices = ("PreemptLowerPriority", "Never")
        check_given_choice(policy, choices, f"{path}.preemptionPolicy", errors)


def _validate_claims(claims: Sequence[Fields], path: str, errors: Errors) -> frozenset[str]:
    """Check `resourceClaims`; returns their names."""
    names: set[str] = set()
    for index, claim in enumerate(claims):
        at, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        elif name in names:
            errors.append(duplicate_value(f"{at}.name", name))
        else:
            check(dns1123_label_errors, name, f"{at}.name", errors)
            names.add(name)
        fields = ("resourceClaimName", "resourceClaimTemplateName")
        given = [field for field in fields if claim.get(field) is not None]
        if len(given) > 1:
            both = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.append(invalid_value(at, claim, both))
        elif not given:
            none = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.append(invalid_value(at, claim, none))
        for field in given:
            check(dns1123_subdomain_errors, claim[field], f"{at}.{field}", errors)
    return frozenset(names)
