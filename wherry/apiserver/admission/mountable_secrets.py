"""`kubernetes.io/enforce-mountable-secrets`: a pod gets at its service account's secrets only.

Upstream's rule and texts (plugin/pkg/admission/serviceaccount, limitSecretReferences). As there, secrets of
projected volumes and of other volume sources pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from wherry.objects.meta import Object, annotations_of, name_of

ENFORCED = "kubernetes.io/enforce-mountable-secrets"
TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""What Go's strconv.ParseBool takes for true."""
CONTAINERS = (("init container", "initContainers"), ("container", "containers"))
EPHEMERAL = (("ephemeral container", "ephemeralContainers"),)


def is_limited(account: Object) -> bool:
    """Whether the account's pods are held to its secrets."""
    return annotations_of(account).get(ENFORCED) in TRUE


def pod_problem(account: Object, pod: Object) -> str:
    """Which secret a new pod may not refer to, as a sentence; "" if all are its account's."""
    spec = pod.get("spec") or {}
    mountable = _names(account, "secrets")
    for secret in _volume_secrets(spec):
        if secret not in mountable:
            return _text(f'volume with secret.secretName="{secret}"', account)
    problem = _container_problem(account, spec, CONTAINERS)
    if problem:
        return problem
    pulled = _names(account, "imagePullSecrets")
    for index, item in enumerate(spec.get("imagePullSecrets") or ()):
        if (item.get("name") or "") not in pulled:
            what = f'imagePullSecrets[{index}].name="{item.get("name") or ""}"'
            return _text(what, account, "imagePullSecret")
    return ""


def ephemeral_problem(account: Object, pod: Object) -> str:
    """The same for the containers that join a running pod."""
    return _container_problem(account, pod.get("spec") or {}, EPHEMERAL)


def _names(account: Object, field: str) -> frozenset[str]:
    return frozenset(item.get("name") or "" for item in account.get(field) or ())


def _volume_secrets(spec: Object) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if volume.get("secret") is not None:
            yield volume["secret"].get("secretName") or ""


def _container_problem(account: Object, spec: Object, kinds: tuple[tuple[str, str], ...]) -> str:
    mountable = _names(account, "secrets")
    for kind, field in kinds:
        for container in spec.get(field) or ():
            for where, secret in _container_secrets(container):
                if secret not in mountable:
                    what = f"{kind} {container.get('name')} with {where}"
                    return _text(f'{what} referencing secret.secretName="{secret}"', account)
    return ""


def _container_secrets(container: Object) -> Iterator[tuple[str, str]]:
    """Where the container refers to a secret, and its name."""
    for variable in container.get("env") or ():
        ref = (variable.get("valueFrom") or {}).get("secretKeyRef")
        if ref is not None:
            yield f"envVar {variable.get('name')}", ref.get("name") or ""
    for source in container.get("envFrom") or ():
        ref = source.get("secretRef")
        if ref is not None:
            yield "envFrom", ref.get("name") or ""


def _text(what: str, account: Object, kind: str = "secret") -> str:
    return f"{what} is not allowed because service account {name_of(account)} does not reference that {kind}"
