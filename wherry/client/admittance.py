"""Whether the API server lets a client in: said once when it does not, and once when it does again.

A component goes on trying, as upstream's do: a certificate may be renewed and rights be granted. But somebody
has to do it, so one line says who was refused, where that is written, and what to do. Errors told of so are
marked (`ApiError.is_told`), and nobody else warns of them.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass

from wherry.kit.clock import SystemClock
from wherry.objects.errors import ApiError

log = logging.getLogger(__name__)

UNKNOWN, FORBIDDEN = 401, 403
CUT_OFF_TWICE = 2
"""A server that stops may end one connection without an answer; at the second it is about us."""
DEEPEST_CAUSE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who a client is and where that is written (`who`), what to do if that is no good, its certificate."""

    who: str
    remedy: str
    certificate_pem: str = ""
    """In PEM, "" for none."""


class Admittance:
    """What one client has heard about itself from the API server at `server`."""

    def __init__(self, server: str, standing: Standing) -> None:
        self._server = server
        self._standing = standing
        self._has_entered = False
        self._is_told = False
        self._cut_off = 0

    def entered(self) -> None:
        """A request was answered as one of somebody who may ask."""
        if self._is_told:
            log.info("the API server at %s lets us in now", self._server)
        self._is_told, self._has_entered, self._cut_off = False, True, 0

    def refused(self, error: ApiError) -> None:
        """A request was refused. Whoever was let in before lacks a right, which is not about who it is."""
        if error.code == UNKNOWN:
            self._tell(error, f"does not know who we are ({error.message})")
        elif error.code == FORBIDDEN and not self._has_entered:
            self._tell(error, f"lets us do nothing ({error.message})")

    def unreachable(self, error: ApiError, cause: BaseException, *, is_cut_off: bool) -> None:
        """There was no answer, because of `cause`; `is_cut_off` when the server ended the connection."""
        distrust = _distrust(cause)
        if distrust:
            self._tell(error, f"shows a certificate we do not trust ({distrust})")
            return
        self._cut_off = self._cut_off + 1 if is_cut_off else 0
        if self._cut_off and self._standing.certificate_pem:
            name, ends, has_ended = _read(self._standing.certificate_pem)
            if not self._has_entered or (has_ended and self._cut_off >= CUT_OFF_TWICE):
                # TLS says no more: who does not believe a certificate ends the connection.
                self._tell(error, f"ends connections with our certificate ({name}, good until {ends})")

    def _tell(self, error: ApiError, what: str) -> None:
        error.is_told = True
        if not self._is_told:
            self._is_told = True
            who, remedy = self._standing.who, self._standing.remedy
            log.warning("the API server at %s %s: we are %s; %s", self._server, what, who, remedy)


def _distrust(cause: BaseException | None) -> str:
    for _ in range(DEEPEST_CAUSE):
        if cause is None:
            break
        # aiohttp's own error is one of these, too, but for what it says.
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_message"):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return ""


def _read(pem: str) -> tuple[str, str, bool]:
    """The common name of a certificate, when it ends, and whether it has."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ends = certificate.not_valid_after_utc
    return str(names[0].value) if names else "no name", f"{ends:%Y-%m-%d %H:%M}Z", SystemClock().now() > ends
