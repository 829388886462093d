"""The cluster's certificate authority, as far as signing what others ask for.

Source: pkg/controller/certificates/authority (PermissiveSigningPolicy), staging/src/k8s.io/client-go/util/
certificate/csr.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509


class NoAuthority(Exception):
    """The authority cannot sign; the text says why."""


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Files of the certificate and the key; read for each signature, so that they may be exchanged."""

    cert_file: Path
    key_file: Path

    def sign(
        self,
        request: x509.CertificateSigningRequest,
        usages: frozenset[str],
        life: timedelta,
        now: datetime,
    ) -> bytes:
        """A certificate for what is asked, as PEM; it never outlives the authority.

        Raises NoAuthority when the authority's files cannot be used.
        """
        # Imported here: few clusters are asked for one, and the library is large.
        from wherry.controllers.certificates.issuing import issue

        return issue(self, request, usages, life, now)
