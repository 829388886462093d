"""PodCertificateRequest: a node asks for a certificate of one of its pods. Its spec never changes."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.meta import Object

_SCHEMA = "io.k8s.api.certificates.v1.PodCertificateRequest"


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
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=True, has_status=True, immutable=("spec",)),
    selectable={"spec.signerName": _signer, "spec.podName": _pod, "spec.nodeName": _node},
    schema=_SCHEMA,
)
