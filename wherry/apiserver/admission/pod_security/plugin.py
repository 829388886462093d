"""The admission plugin: refuses pods, warns of pods and templates, and of namespaces that get stricter.

A namespace without labels of this kind costs one look at its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.admission.pod_security.baseline import (
    SECCOMP_CONTAINER_ANNOTATION,
    SECCOMP_POD_ANNOTATION,
)
from wherry.apiserver.admission.pod_security.finding import NOTHING, Fields, Finding
from wherry.apiserver.admission.pod_security.levels import (
    NO_POLICY,
    PREFIX,
    PRIVILEGED,
    Policy,
    Standard,
    is_stricter,
    read_policy,
)
from wherry.apiserver.admission.pod_security.standards import evaluate
from wherry.objects.errors import forbidden, invalid
from wherry.objects.meta import Object, annotations_of, labels_of, metadata, name_of

MOST_PODS = 3000
"""As many pods of a namespace are looked at when its level changes."""
_PREFIX = PREFIX.encode()
_POD_SUBRESOURCES = ("", "ephemeralcontainers", "resize")


def _template(obj: Object) -> Fields | None:
    return (obj.get("spec") or NOTHING).get("template")


def _job_template(obj: Object) -> Fields | None:
    job = (obj.get("spec") or NOTHING).get("jobTemplate") or NOTHING
    return (job.get("spec") or NOTHING).get("template")


TEMPLATES: Mapping[tuple[str, str], Callable[[Object], Fields | None]] = {
    ("", "podtemplates"): lambda obj: obj.get("template"),
    ("", "replicationcontrollers"): _template,
    ("apps", "replicasets"): _template,
    ("apps", "deployments"): _template,
    ("apps", "statefulsets"): _template,
    ("apps", "daemonsets"): _template,
    ("batch", "jobs"): _template,
    ("batch", "cronjobs"): _job_template,
}


class PodSecurity(BasePlugin):
    """See the module."""

    name = "PodSecurity"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if operation not in (CREATE, UPDATE):
            return False
        place = (resource.group, resource.plural)
        if place == ("", "pods"):
            return subresource in _POD_SUBRESOURCES
        return not subresource and (place in TEMPLATES or place == ("", "namespaces"))

    async def validate(self, attributes: Attributes) -> None:
        if attributes.resource.plural == "namespaces":
            await _check_namespace(attributes)
            return
        policy = _policy_of(attributes)
        if policy is NO_POLICY or attributes.obj is None:
            return
        if attributes.resource.plural == "pods":
            _check_pod(attributes, policy)
            return
        template = TEMPLATES[attributes.resource.group, attributes.resource.plural](attributes.obj)
        if template is not None:
            meta, spec = template.get("metadata") or NOTHING, template.get("spec") or NOTHING
            _note(attributes, policy.audit, meta, spec)
            _warn(attributes, policy.warn, meta, spec)


def _policy_of(attributes: Attributes) -> Policy:
    """What holds in the namespace; an unreadable label was told when it was set."""
    cached = attributes.core.registry.of(NAMESPACES).get("", attributes.namespace)
    if cached is None or _PREFIX not in cached.data:
        return NO_POLICY
    return read_policy(cached.labels)[0]


def _check_pod(attributes: Attributes, policy: Policy) -> None:
    pod = attributes.obj or {}
    if attributes.operation == UPDATE and not is_significant(pod, attributes.old or {}):
        return
    meta, spec = metadata(pod), pod.get("spec") or NOTHING
    attributes.annotate(f"{PREFIX}enforce-policy", str(policy.enforce))
    found = evaluate(policy.enforce, meta, spec)
    _note(attributes, policy.audit, meta, spec)
    if found:
        why = f'violates PodSecurity "{policy.enforce}": {_told(found)}'
        raise forbidden("pods", "", attributes.name, why)
    _warn(attributes, policy.warn, meta, spec)


def _note(attributes: Attributes, standard: Standard, meta: Fields, spec: Fields) -> None:
    """Tell the audit log what the standard would not let in."""
    found = evaluate(standard, meta, spec)
    if found:
        text = f'would violate PodSecurity "{standard}": {_told(found)}'
        attributes.annotate(f"{PREFIX}audit-violations", text)


def _warn(attributes: Attributes, standard: Standard, meta: Fields, spec: Fields) -> None:
    found = evaluate(standard, meta, spec)
    if found:
        attributes.warn(f'would violate PodSecurity "{standard}": {_told(found)}')


def _told(findings: list[Finding]) -> str:
    return ", ".join(str(finding) for finding in findings)


def is_significant(pod: Object, old: Object) -> bool:
    """Whether an update changes anything the standards look at: images, containers, annotations."""
    new_notes, old_notes = annotations_of(pod), annotations_of(old)
    if new_notes.get(SECCOMP_POD_ANNOTATION) != old_notes.get(SECCOMP_POD_ANNOTATION):
        return True
    for field in ("containers", "initContainers", "ephemeralContainers"):
        before = {c.get("name"): c for c in (old.get("spec") or NOTHING).get(field) or ()}
        after = (pod.get("spec") or NOTHING).get(field) or ()
        if len(after) != len(before):
            return True
        for container in after:
            name = container.get("name", "")
            was = before.get(name)
            key = SECCOMP_CONTAINER_ANNOTATION + name
            if was is None or container.get("image") != was.get("image"):
                return True
            if new_notes.get(key) != old_notes.get(key):
                return True
    return False


async def _check_namespace(attributes: Attributes) -> None:
    """Refuse labels that cannot be read, and warn of pods a stricter level would not have let in."""
    namespace = attributes.obj or {}
    policy, errors = read_policy(labels_of(namespace))
    before, old_errors = read_policy(labels_of(attributes.old or {}))
    if errors and (attributes.operation == CREATE or errors != old_errors):
        raise invalid("Namespace", "", attributes.name, errors)
    wanted, had = policy.enforce, before.enforce
    if attributes.operation == CREATE or wanted == had or wanted.level == PRIVILEGED:
        return
    if wanted.minor == had.minor and not is_stricter(wanted.level, had.level):
        return
    if attributes.warnings is not None:
        served = attributes.core.registry.of(PODS)
        stored, more = served.cacher.list(attributes.name, limit=MOST_PODS)
        pods = [cached.decode() for cached in stored]
        attributes.warnings += namespace_warnings(attributes.name, wanted, pods, len(pods) + more)


def namespace_warnings(namespace: str, standard: Standard, pods: list[Object], total: int) -> list[str]:
    """What to tell of the pods of a namespace that shall be held to `standard` from now on.

    `pods` are those looked at, of `total`.
    """
    names: dict[str, list[str]] = {}
    for pod in pods:
        found = evaluate(standard, metadata(pod), pod.get("spec") or NOTHING)
        if found:
            names.setdefault(", ".join(finding.reason for finding in found), []).append(name_of(pod))
    warnings: list[str] = []
    if len(pods) < total:
        warnings.append(
            "new PodSecurity enforce level only checked against the first "
            f"{len(pods)} of {total} existing pods"
        )
    if names:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
        )
    return warnings + sorted(f"{_counted(found)}: {reasons}" for reasons, found in names.items())


def _counted(names: list[str]) -> str:
    first, others = min(names), len(names) - 1
    if not others:
        return first
    return f"{first} (and {others} other {'pod' if others == 1 else 'pods'})"
