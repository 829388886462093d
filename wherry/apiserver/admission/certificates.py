"""CertificateSigning and its kin: who asks is who sends, and signers' rights guard what signers do.

Who asks for a certificate is written down by the server (upstream does it in the storage layer). Issuing
takes the verb `sign` on the signer, publishing its trust anchors `attest`; nobody gets a client
certificate of the group that may do everything.
"""

from __future__ import annotations

from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES
from wherry.api.certificates.pem import blocks_of, request, text_of
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import MASTERS
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_REQUESTOR = ("username", "uid", "groups", "extra")


class Certificates(BasePlugin):
    """See the module."""

    name = "CertificateSigning"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource.is_version_of(CLUSTER_TRUST_BUNDLES):
            return operation in (CREATE, UPDATE)
        return resource is CERTIFICATE_SIGNING_REQUESTS and (operation, subresource) in (
            (CREATE, ""),
            (UPDATE, "status"),
        )

    async def admit(self, attributes: Attributes) -> None:
        if attributes.resource is CERTIFICATE_SIGNING_REQUESTS and attributes.operation == CREATE:
            spec = (attributes.obj or {}).setdefault("spec", {})
            for name in _REQUESTOR:
                spec.pop(name, None)
            spec |= attributes.user.user_info()

    async def validate(self, attributes: Attributes) -> None:
        obj, old = attributes.obj or {}, attributes.old or {}
        signer = (obj.get("spec") or {}).get("signerName") or ""
        if attributes.resource.is_version_of(CLUSTER_TRUST_BUNDLES):
            if signer and obj.get("spec") != old.get("spec") and not _may(attributes, "attest", signer):
                _refuse(attributes, f'user not permitted to attest for signerName "{signer}"')
        elif attributes.operation == CREATE:
            if signer == CLIENT_SIGNER and MASTERS in _organizations(obj):
                why = f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
                _refuse(attributes, why)
        elif _tells_more(obj, old) and not _may(attributes, "sign", signer):
            _refuse(attributes, f'user not permitted to sign requests with signerName "{signer}"')


def _tells_more(obj: Object, old: Object) -> bool:
    """Whether an update issues the certificate or gives up doing so."""
    now, before = obj.get("status") or {}, old.get("status") or {}
    return now.get("certificate") != before.get("certificate") or now.get("conditions") != before.get(
        "conditions"
    )


def _organizations(obj: Object) -> set[str]:
    """The groups the subject of a request is to be in."""
    block = next(blocks_of(text_of((obj.get("spec") or {}).get("request"))), None)
    found = request(block.contents) if block is not None else None
    if found is None:
        return set()
    from cryptography.x509.oid import NameOID

    return {str(part.value) for part in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}


def _may(attributes: Attributes, verb: str, signer: str) -> bool:
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        info = RequestInfo(verb, "", True, "certificates.k8s.io", "*", "", "signers", name)
        if attributes.core.authorizer.decide(attributes.user, info).allowed:
            return True
    return False


def _refuse(attributes: Attributes, why: str) -> None:
    raise forbidden(attributes.resource.plural, attributes.resource.group, attributes.name, why)
