"""Names of signers: a domain of two or more parts, a slash, and a path of DNS subdomains."""

from __future__ import annotations

from wherry.objects.errors import FieldError, invalid_value, required, show_value, too_long
from wherry.objects.names import (
    LABEL_MAX,
    SUBDOMAIN_MAX,
    Check,
    dns1123_label_errors,
    dns1123_subdomain_errors,
)

KUBERNETES_DOMAIN = "kubernetes.io"
CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
_FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
_ONE_LABEL = "should be a domain with at least two segments separated by dots"
_LONGEST_B = SUBDOMAIN_MAX + 1 + SUBDOMAIN_MAX + LABEL_MAX + 1


def signer_name_errors(name: str | None, path: str) -> list[FieldError]:
    """What is wrong with the name of a signer."""
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return [invalid_value(path, name, _FORM)]
    errors = [too_long(path, SUBDOMAIN_MAX)] if len(domain.encode()) > SUBDOMAIN_MAX else []
    errors += _part_errors(domain, path, dns1123_label_errors)
    if "." not in domain:
        errors.append(invalid_value(path, domain, _ONE_LABEL))
    errors += _part_errors(rest, path, dns1123_subdomain_errors)
    return [*errors, too_long(path, _LONGEST_B)] if len(name.encode()) > _LONGEST_B else errors


def _part_errors(part: str, path: str, check: Check) -> list[FieldError]:
    """What is wrong with the first label that is wrong."""
    for label in part.split("."):
        if wrong := check(label):
            return [
                invalid_value(path, part, f"validating label {show_value(label)}: {text}") for text in wrong
            ]
    return []


def is_of_kubernetes(name: str) -> bool:
    """Whether the signer is one of Kubernetes' own."""
    domain = name.partition("/")[0]
    return domain == KUBERNETES_DOMAIN or domain.endswith(f".{KUBERNETES_DOMAIN}")
