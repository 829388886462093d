"""Certificates: who asks is who sends, and signers' rights guard what signers do.

Who asks for a certificate is written down by the server (upstream does it in the storage layer).
Deciding on a request takes the verb `approve` on its signer, issuing `sign`, publishing the signer's
trust anchors `attest`; nobody gets a client certificate of the group that may do everything.
"""

from __future__ import annotations

from wherry.api.certificates.signers import CLIENT
from wherry.api.certificates.subjects import asked_for, organizations
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import MASTERS
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object

GROUP = "certificates.k8s.io"
_REQUESTOR = ("username", "uid", "groups", "extra")


class CertificateRequestor(BasePlugin):
    """A request says who sent it, whatever the client wrote there."""

    name = "CertificateRequestor"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return _is_request(resource) and not subresource and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        spec = (attributes.obj or {}).setdefault("spec", {})
        for name in _REQUESTOR:
            spec.pop(name, None)
        spec |= attributes.user.user_info()


class CertificateApproval(BasePlugin):
    """Only who may approve for a signer decides on requests to it."""

    name = "CertificateApproval"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return _is_request(resource) and subresource == "approval" and operation == UPDATE

    async def validate(self, attributes: Attributes) -> None:
        signer = _signer_of(attributes.old)
        if not _may(attributes, "approve", signer):
            _refuse(attributes, f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(BasePlugin):
    """Only who may sign for a signer puts certificates, or a failure, into requests to it."""

    name = "CertificateSigning"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return _is_request(resource) and subresource == "status" and operation == UPDATE

    async def validate(self, attributes: Attributes) -> None:
        signer = _signer_of(attributes.old)
        if _tells_more(attributes.obj or {}, attributes.old or {}) and not _may(attributes, "sign", signer):
            _refuse(attributes, f'user not permitted to sign requests with signerName "{signer}"')


class CertificateSubjectRestriction(BasePlugin):
    """Nobody asks for a client certificate of the group that may do everything."""

    name = "CertificateSubjectRestriction"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return _is_request(resource) and not subresource and operation == CREATE

    async def validate(self, attributes: Attributes) -> None:
        obj = attributes.obj or {}
        if _signer_of(obj) == CLIENT and MASTERS in _organizations(obj):
            _refuse(attributes, f"use of {CLIENT} signer with {MASTERS} group is not allowed")


class ClusterTrustBundleAttest(BasePlugin):
    """Only who may attest for a signer publishes its trust anchors."""

    name = "ClusterTrustBundleAttest"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        is_bundle = (resource.group, resource.plural) == (GROUP, "clustertrustbundles")
        return is_bundle and operation in (CREATE, UPDATE)

    async def validate(self, attributes: Attributes) -> None:
        obj, old = attributes.obj or {}, attributes.old or {}
        signer = _signer_of(obj)
        if signer and obj.get("spec") != old.get("spec") and not _may(attributes, "attest", signer):
            _refuse(attributes, f'user not permitted to attest for signerName "{signer}"')


def _is_request(resource: Resource) -> bool:
    return (resource.group, resource.plural) == (GROUP, "certificatesigningrequests")


def _signer_of(obj: Object | None) -> str:
    name: str = ((obj or {}).get("spec") or {}).get("signerName") or ""
    return name


def _tells_more(obj: Object, old: Object) -> bool:
    """Whether an update issues the certificate or gives up doing so."""
    now, before = obj.get("status") or {}, old.get("status") or {}
    return now.get("certificate") != before.get("certificate") or now.get("conditions") != before.get(
        "conditions"
    )


def _organizations(obj: Object) -> list[str]:
    """The groups the subject of a request is to be in."""
    found = asked_for(obj)
    return organizations(found) if found is not None else []


def _may(attributes: Attributes, verb: str, signer: str) -> bool:
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        info = RequestInfo(verb, "", True, GROUP, "*", "", "signers", name)
        if attributes.core.authorizer.decide(attributes.user, info).allowed:
            return True
    return False


def _refuse(attributes: Attributes, why: str) -> None:
    raise forbidden(attributes.resource.plural, attributes.resource.group, attributes.name, why)
