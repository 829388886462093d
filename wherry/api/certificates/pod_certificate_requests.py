"""PodCertificateRequest: a node asks for a certificate of one of its pods. Its spec never changes."""

from __future__ import annotations

from wherry.api.certificates.issuing import issue_errors
from wherry.api.certificates.pod_requests import DEFAULT_S, pod_request_errors
from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

_SCHEMA = "io.k8s.api.certificates.v1.PodCertificateRequest"
_ONLY_BETA = frozenset({"pkixPublicKey", "proofOfPossession"})


def from_v1beta1(request: Object) -> Object:
    """The form of this version, without the fields only the beta had. A new object."""
    made = {**request, "apiVersion": "certificates.k8s.io/v1"}
    spec = request.get("spec")
    if isinstance(spec, dict) and not _ONLY_BETA.isdisjoint(spec):
        made["spec"] = {name: value for name, value in spec.items() if name not in _ONLY_BETA}
    return made


def _to_v1beta1(request: Object) -> Object:
    return {**request, "apiVersion": "certificates.k8s.io/v1beta1"}


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("maxExpirationSeconds") is None:
        spec["maxExpirationSeconds"] = DEFAULT_S


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    """The spec is judged once: it cannot change."""
    return pod_request_errors(new.get("spec") or {}) if old is None else []


def _signer(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("signerName") or ""
    return found


def _pod(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("podName") or ""
    return found


def _node(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("nodeName") or ""
    return found


POD_CERTIFICATE_REQUESTS = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="PodCertificateRequest",
    plural="podcertificaterequests",
    namespaced=True,
    short_names=("pcr",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        unconditional_update=False,
        namespaced=True,
        has_status=True,
        status_resets=("spec", "metadata"),
        is_complete=True,
        immutable=("spec",),
        defaults=_default,
        rules=_rules,
        status_rules=issue_errors,
    ),
    selectable={"spec.signerName": _signer, "spec.podName": _pod, "spec.nodeName": _node},
    schema=_SCHEMA,
    storage_version=("certificates.k8s.io", "v1beta1"),  # which the release before can read
    to_storage=_to_v1beta1,
    from_storage=from_v1beta1,
)
