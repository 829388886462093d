"""How a PodCertificateRequest ends: issued, denied or failed, once and for all (`issue_errors`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from wherry.api.certificates.pem import CERTIFICATE, blocks_of, certificate
from wherry.api.certificates.pod_requests import stub_request
from wherry.api.validation.conditions import validate_conditions
from wherry.objects.conditions import is_true
from wherry.objects.errors import FieldError, invalid_value, not_supported, required, too_long
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from cryptography import x509

ISSUED, DENIED, FAILED = "Issued", "Denied", "Failed"
CHAIN_LIMIT_B = 100 * 1024
_ENDS = (ISSUED, DENIED, FAILED)
_SHORTEST = timedelta(hours=1)
_MARGIN = timedelta(minutes=10)
_CHAIN = "status.certificateChain"
_ONE_END = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
_OVER = "immutable after PodCertificateRequest is issued, denied, or failed"
_OPEN = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
_BARE = "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
_TIMES = {
    "notBefore": "must be present and consistent with the issued certificate",
    "notAfter": "must be present and consistent with the issued certificate",
    "beginRefreshAt": "must be present and in the range [notbefore+10min, notafter-10min]",
}
Fields = Mapping[str, Any]


def issue_errors(new: Object, old: Object) -> list[FieldError]:
    """The status of a request about to replace that of `old`."""
    status, before = new.get("status") or {}, old.get("status") or {}
    conditions = status.get("conditions") or ()
    if errors := _end_errors(conditions):
        return errors
    if any(is_true(before.get("conditions"), kind) for kind in _ENDS):
        return [] if status == before else [invalid_value("status", "", _OVER)]
    if is_true(conditions, DENIED) or is_true(conditions, FAILED):
        is_bare = not any(value for name, value in status.items() if name != "conditions")
        return [] if is_bare else [invalid_value("status", "", _BARE)]
    if is_true(conditions, ISSUED):
        return _issued_errors(status, new.get("spec") or {})
    return [] if status == before else [invalid_value("status", "", _OPEN)]


def _end_errors(conditions: Any) -> list[FieldError]:
    errors: list[FieldError] = []
    known = 0
    for index, condition in enumerate(conditions):
        path, kind = f"status.conditions[{index}]", condition.get("type") or ""
        if kind not in _ENDS:
            errors.append(not_supported(f"{path}.type", kind, _ENDS))
            continue
        known += 1
        if known > 1:
            errors.append(invalid_value(f"{path}.type", kind, _ONE_END))
        if condition.get("status") != "True":
            errors.append(not_supported(f"{path}.status", condition.get("status") or "", ("True",)))
    return errors + validate_conditions(conditions, "status.conditions")


def _issued_errors(status: Fields, spec: Fields) -> list[FieldError]:
    chain = status.get("certificateChain") or ""
    if len(chain.encode()) > CHAIN_LIMIT_B:
        return [too_long(_CHAIN, CHAIN_LIMIT_B)]
    blocks = list(blocks_of(chain))
    if not blocks:
        why = "issued certificate chain must contain at least one certificate"
        return [invalid_value(_CHAIN, chain, why)]
    if any(block.kind != CERTIFICATE for block in blocks):
        why = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
        return [invalid_value(_CHAIN, chain, why)]
    found = [certificate(block.contents) for block in blocks]
    leaf = found[0]
    if leaf is None:
        return [invalid_value(_CHAIN, chain, "leaf certificate does not parse as valid X.509")]
    asked = stub_request(spec.get("stubPKCS10Request") or "")
    if asked is not None and asked.public_key() != leaf.public_key():
        why = "leaf certificate was not issued to the requested public key"
        return [invalid_value(_CHAIN, chain, why)]
    if errors := [required(f"status.{name}", why) for name, why in _TIMES.items() if not status.get(name)]:
        return errors
    if errors := _time_errors(status, leaf, spec.get("maxExpirationSeconds") or 0):
        return errors
    if None in found[1:]:
        why = "intermediate certificate does not parse as valid X.509"
        return [invalid_value(_CHAIN, chain, why)]
    return []


def _time_errors(status: Fields, leaf: x509.Certificate, most_s: int) -> list[FieldError]:
    """The times told are the certificate's, and there is time to renew it; the first thing wrong."""
    starts, ends, renews = (datetime.fromisoformat(status[name]) for name in _TIMES)
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if starts != leaf.not_valid_before_utc:
        why = "must be set to the NotBefore time encoded in the leaf certificate"
        return [invalid_value("status.notBefore", status["notBefore"], why)]
    if ends != leaf.not_valid_after_utc:
        why = "must be set to the NotAfter time encoded in the leaf certificate"
        return [invalid_value("status.notAfter", status["notAfter"], why)]
    if lifetime < _SHORTEST:
        return [invalid_value(_CHAIN, _span(lifetime), "leaf certificate lifetime must be >= 1 hour")]
    if lifetime > timedelta(seconds=most_s):
        why = f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({most_s})"
        return [invalid_value(_CHAIN, _span(lifetime), why)]
    path, told = "status.beginRefreshAt", status["beginRefreshAt"]
    if renews < starts + _MARGIN:
        return [invalid_value(path, told, "must be at least 10 minutes after status.notBefore")]
    if renews > ends - _MARGIN:
        return [invalid_value(path, told, "must be at least 10 minutes before status.notAfter")]
    return []


def _span(lifetime: timedelta) -> str:
    minutes, seconds = divmod(int(lifetime.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s"
