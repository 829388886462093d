"""Clears away requests that were decided a while ago, or that nobody decides.

Source: pkg/controller/certificates/cleaner/cleaner.go. Upstream looks once an hour; here each request has its
own time.
"""

from __future__ import annotations

import base64
import logging
from datetime import datetime

from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.controllers.base import Controller
from wherry.controllers.certificates.requests import APPROVED, DENIED, FAILED
from wherry.objects.meta import Object, later, parse_time

log = logging.getLogger(__name__)

DECIDED_S = 3600.0
"""How long a request stays after it was denied, given up, or approved and signed."""
PENDING_S = 24 * 3600.0
"""How long a request waits for a decision, and an approved one for its certificate."""


class CertificateCleaning(Controller):
    """Deletes requests nobody needs any more."""

    name = "certificatesigningrequest-cleaner"
    account = "certificate-controller"
    primary = CERTIFICATE_SIGNING_REQUESTS

    async def sync(self, key: str) -> float | None:
        """Delete the request if its time is over, else say when to look again."""
        csr = self.cache.get(CERTIFICATE_SIGNING_REQUESTS, key)
        if csr is None:
            return None
        left_s = (ends_at(csr) - self.clock.now()).total_seconds()
        if left_s > 0:
            return left_s
        log.info("deleting CertificateSigningRequest %s: it is done with", key)
        await self.delete(key, CERTIFICATE_SIGNING_REQUESTS, csr)
        return None


def ends_at(csr: Object) -> datetime:
    """When a request is done with; the end of all time for one that stays."""
    status = csr.get("status") or {}
    conditions, certificate = status.get("conditions") or (), status.get("certificate") or ""
    created = parse_time(csr["metadata"]["creationTimestamp"])
    times = [] if conditions else [later(created, PENDING_S)]
    for condition in conditions:
        kind, since = condition.get("type"), condition.get("lastUpdateTime")
        if since and kind in (DENIED, FAILED, APPROVED):
            waits_s = PENDING_S if kind == APPROVED and not certificate else DECIDED_S
            times.append(later(parse_time(since), waits_s))
    if (expires := _expires_at(certificate)) is not None:
        times.append(expires)
    return min(times, default=datetime.max.replace(tzinfo=created.tzinfo))


def _expires_at(encoded: str) -> datetime | None:
    """When the first certificate of the chain ends, None without one that can be read."""
    if not encoded:
        return None
    from cryptography import x509  # large, and few clusters are asked for certificates

    try:
        return x509.load_pem_x509_certificate(base64.b64decode(encoded)).not_valid_after_utc
    except ValueError:
        return None
