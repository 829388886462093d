"""Approves kubelets' requests for client certificates, of those who may ask for them.

Source: pkg/controller/certificates/approver/sarapprove.go.
"""

from __future__ import annotations

from wherry.api.authorization.subject_access_reviews import SUBJECT_ACCESS_REVIEWS
from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.certificates.signers import KUBELET_CLIENT
from wherry.api.certificates.subjects import common_name
from wherry.controllers.base import Controller
from wherry.controllers.certificates.requests import (
    APPROVED,
    NotSignable,
    asker,
    check_kubelet_client,
    is_decided,
    request_of,
    usages_of,
)
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of

RECOGNIZED = (
    ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."),
    ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
)
"""The permission (a subresource of the requests) by which a request is approved, and what is said then."""


class CertificateApproving(Controller):
    """Approves what a node, or one who may start nodes, asks of the kubelets' client signer."""

    name = "certificatesigningrequest-approving"
    account = "certificate-controller"
    component = "certificate-controller"
    primary = CERTIFICATE_SIGNING_REQUESTS

    async def sync(self, key: str) -> float | None:
        """Approve the request if it is one of those, and who asks may."""
        csr = self.cache.get(CERTIFICATE_SIGNING_REQUESTS, key)
        if csr is None or is_decided(csr) or (csr.get("status") or {}).get("certificate"):
            return None
        if (csr.get("spec") or {}).get("signerName") != KUBELET_CLIENT:
            return None
        try:
            request = request_of(csr)
            check_kubelet_client(request, usages_of(csr))
        except NotSignable:
            return None  # somebody else may know it
        is_own = common_name(request) == (csr.get("spec") or {}).get("username")
        recognized = RECOGNIZED if is_own else RECOGNIZED[1:]
        for permission, message in recognized:
            if await self._is_allowed(csr, permission):
                await self._approve(csr, message)
                return None
        tried = " ".join(permission for permission, _ in recognized)
        raise ApiError(
            403,
            "Forbidden",
            f'recognized csr "{name_of(csr)}" as [{tried}] but subject access review was not approved',
        )

    async def _is_allowed(self, csr: Object, permission: str) -> bool:
        attributes = {
            "group": "certificates.k8s.io",
            "resource": "certificatesigningrequests",
            "verb": "create",
            "subresource": permission,
        }
        review = {
            "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SUBJECT_ACCESS_REVIEWS.kind,
            "spec": {**asker(csr), "resourceAttributes": attributes},
        }
        answer = await self.client.create(SUBJECT_ACCESS_REVIEWS, review)
        return bool((answer.get("status") or {}).get("allowed"))

    async def _approve(self, csr: Object, message: str) -> None:
        condition = {"type": APPROVED, "status": "True", "reason": "AutoApproved", "message": message}
        status = csr.get("status") or {}
        conditions = [*(status.get("conditions") or ()), condition]
        approved = {**csr, "status": {**status, "conditions": conditions}}
        stored = await self.client.update(CERTIFICATE_SIGNING_REQUESTS, approved, "approval")
        self._holds.wrote(name_of(csr), CERTIFICATE_SIGNING_REQUESTS, stored)
