"""Rules of CertificateSigningRequests: what is asked for, the decision, the certificate.

Approved and Denied are told by the approval subresource, once and for all, and only one of them; the
certificate by the status subresource, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from wherry.api.certificates.pem import (
    CERTIFICATE,
    REQUEST,
    blocks_of,
    certificate,
    is_well_signed,
    request,
    text_of,
)
from wherry.api.certificates.signers import signer_name_errors
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    show_value,
)
from wherry.objects.meta import Object
from wherry.objects.repeats import repeated

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
SHORTEST_S = 600
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
_STATUSES = ("False", "True", "Unknown")
_EXCLUSIVE = "Approved and Denied conditions are mutually exclusive"
Fields = Mapping[str, Any]


def spec_errors(spec: Fields, was_taken: bool) -> list[FieldError]:
    """What is asked for. One that `was_taken` before is taken again, whatever its usages and signer."""
    errors: list[FieldError] = []
    if wrong := _wrong_request(text_of(spec.get("request"))):
        errors.append(invalid_value("spec.request", spec.get("request"), wrong))
    usages = list(spec.get("usages") or ())
    if not usages:
        errors.append(required("spec.usages", "usages must be provided"))
    if not was_taken:
        twice = dict(repeated(usages))
        for index, usage in enumerate(usages):
            if usage not in USAGES:
                errors.append(not_supported(f"spec.usages[{index}]", usage, USAGES))
            if index in twice:
                errors.append(duplicate_value(f"spec.usages[{index}]", usage))
    signer = spec.get("signerName") or ""
    if signer == LEGACY_SIGNER and not was_taken:
        why = "the legacy signerName is not allowed via this API version"
        errors.append(invalid_value("spec.signerName", signer, why))
    else:
        errors += signer_name_errors(signer, "spec.signerName")
    wanted_s = spec.get("expirationSeconds")
    if wanted_s is not None and wanted_s < SHORTEST_S:
        why = f"may not specify a duration less than {SHORTEST_S} seconds (10 minutes)"
        errors.append(invalid_value("spec.expirationSeconds", wanted_s, why))
    return errors


def _wrong_request(text: str) -> str:
    block = next(blocks_of(text), None)
    if block is None or block.kind != REQUEST:
        return f"PEM block type must be {REQUEST}"
    found = request(block.contents)
    if found is None:
        return "asn1: structure error: the contents are no certificate request"
    return "" if is_well_signed(found) else "x509: the signature of the request is wrong"


def status_errors(new: Object, old: Object | None) -> list[FieldError]:
    """Conditions and certificate; what was wrong before may stay so."""
    status, before = new.get("status") or {}, (old or {}).get("status") or {}
    errors = _condition_errors(_conditions(new), _conditions(old or {}))
    encoded = status.get("certificate") or ""
    is_kept = old is not None and encoded == (before.get("certificate") or "")
    if encoded and not is_kept and (wrong := _wrong_certificate(text_of(encoded))):
        errors.append(invalid_value("status.certificate", "<certificate data>", wrong))
    return errors


def _conditions(obj: Object) -> list[Fields]:
    return list((obj.get("status") or {}).get("conditions") or ())


def _condition_errors(conditions: list[Fields], before: list[Fields]) -> list[FieldError]:
    counts = Counter(condition.get("type") or "" for condition in before)
    had_both, had_twice = {APPROVED, DENIED} <= set(counts), any(count > 1 for count in counts.values())
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        path, kind = f"status.conditions[{index}]", condition.get("type") or ""
        status = condition.get("status") or ""
        allowed = ("True",) if kind in (APPROVED, DENIED, FAILED) else _STATUSES
        if not kind and not counts[""]:
            errors.append(required(f"{path}.type"))
        if not status:
            errors.append(required(f"{path}.status"))
        elif status not in allowed:
            errors.append(not_supported(f"{path}.status", status, allowed))
        other = {APPROVED: DENIED, DENIED: APPROVED}.get(kind)
        if other in seen and not had_both:
            errors.append(invalid_value(f"{path}.type", kind, _EXCLUSIVE))
        if kind in seen and not had_twice:
            errors.append(duplicate_value(f"{path}.type", kind))
        seen.add(kind)
    return errors


def keep_decisions(new: Object, old: Object) -> None:
    """Put approvals and denials back as stored, unless some were added or removed: that is refused."""
    conditions = _conditions(new)
    for kind in (APPROVED, DENIED):
        stored = [condition for condition in _conditions(old) if condition.get("type") == kind]
        places = [at for at, condition in enumerate(conditions) if condition.get("type") == kind]
        if stored and len(stored) == len(places):
            for at, condition in zip(places, stored, strict=True):
                conditions[at] = condition
            new["status"]["conditions"] = conditions


def date_conditions(new: Object, old: Object, now: str) -> None:
    """Give conditions without times the time `now`, or that of the stored one of that type and status."""
    before = {
        (c.get("type"), c.get("status")): c.get("lastTransitionTime") for c in reversed(_conditions(old))
    }
    dated: list[Object] = []
    for condition in _conditions(new):
        same = before.get((condition.get("type"), condition.get("status")))
        given = {name: value for name, value in condition.items() if value}
        dated.append({**condition, "lastUpdateTime": now, "lastTransitionTime": same or now, **given})
    if dated:
        new["status"]["conditions"] = dated


def _wrong_certificate(text: str) -> str:
    found = list(blocks_of(text))
    for block in found:
        if block.kind != CERTIFICATE:
            return f"only CERTIFICATE PEM blocks are allowed, found {show_value(block.kind)}"
        if block.has_headers:
            return "no PEM block headers are permitted"
        if not block.contents:
            return "found CERTIFICATE PEM block containing 0 certificates"
        if certificate(block.contents) is None:
            return "x509: malformed certificate"
    return "" if found else "must contain at least one CERTIFICATE PEM block"


def kept_errors(new: Object, old: Object, *, may_decide: bool, may_issue: bool = False) -> list[FieldError]:
    """What may not be taken back, and what may not be told here.

    `may_decide`: whether this is the place to approve or deny; `may_issue`: to give the certificate.
    """
    errors: list[FieldError] = []
    for kind in (APPROVED, DENIED, FAILED):
        was = [condition for condition in _conditions(old) if condition.get("type") == kind]
        now = [condition for condition in _conditions(new) if condition.get("type") == kind]
        told = f'a condition of type "{kind}"'
        if len(now) < len(was):
            errors.append(forbidden_value("status.conditions", f"updates may not remove {told}"))
        elif kind != FAILED and not may_decide:
            if len(now) > len(was):
                errors.append(forbidden_value("status.conditions", f"updates may not add {told}"))
            elif now != was:
                errors.append(forbidden_value("status.conditions", f"updates may not modify {told}"))
    is_, was_ = ((obj.get("status") or {}).get("certificate") or "" for obj in (new, old))
    if is_ != was_ and not may_issue:
        errors.append(forbidden_value("status.certificate", "updates may not set certificate content"))
    elif is_ != was_ and was_:
        why = "updates may not modify existing certificate content"
        errors.append(forbidden_value("status.certificate", why))
    return errors
