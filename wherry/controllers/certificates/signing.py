"""Signs approved requests to Kubernetes' own signers.

Source: pkg/controller/certificates/signer/signer.go.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.client.events import WARNING
from wherry.controllers.base import Controller
from wherry.controllers.certificates.requests import (
    CHECKS,
    FAILED,
    awaits_signature,
    request_of,
    usages_of,
)
from wherry.objects.meta import Object

SHORTEST_S = 600
"""No certificate is signed for less than ten minutes."""


class CertificateSigning(Controller):
    """Gives approved requests their certificate, or says why they get none."""

    name = "certificatesigningrequest-signing"
    account = "certificate-controller"
    component = "certificate-controller"
    primary = CERTIFICATE_SIGNING_REQUESTS

    async def sync(self, key: str) -> float | None:
        """Sign the request if it was approved and is for one of our signers. Raises NoAuthority."""
        csr = self.cache.get(CERTIFICATE_SIGNING_REQUESTS, key)
        authority = self.config.signing_authority
        if csr is None or authority is None or not awaits_signature(csr):
            return None
        check = CHECKS.get((csr.get("spec") or {}).get("signerName") or "")
        if check is None:
            return None
        try:
            request = request_of(csr)
            check(request, usages_of(csr))
        except ValueError as error:
            await self._refuse(csr, str(error))
            return None
        certificate = await asyncio.to_thread(
            authority.sign, request, usages_of(csr), self._life(csr), self.clock.now()
        )
        encoded = base64.b64encode(certificate).decode()
        await self.write_status(csr, {**(csr.get("status") or {}), "certificate": encoded})
        return None

    def _life(self, csr: Object) -> timedelta:
        """How long the certificate is good for: as asked, within ten minutes and what we give."""
        longest_s = self.config.signing_duration_s
        asked_s = (csr.get("spec") or {}).get("expirationSeconds")
        return timedelta(seconds=longest_s if asked_s is None else max(min(asked_s, longest_s), SHORTEST_S))

    async def _refuse(self, csr: Object, why: str) -> None:
        condition = {"type": FAILED, "status": "True", "reason": "SignerValidationFailure", "message": why}
        status = csr.get("status") or {}
        conditions = [*(status.get("conditions") or ()), condition]
        self.events.event(csr, WARNING, "SignerValidationFailure", why)
        await self.write_status(csr, {**status, "conditions": conditions})
