"""CertificateSigningRequest: asks a signer for a certificate.

What is asked for, and who asks, never changes; approval, denial and the certificate are added through
subresources. Who asks (`spec.username` and the rest) is set by the server, not by the client.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.durations import human_duration
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.certificates.v1.CertificateSigningRequest"
_SHORTEST_S = int(timedelta(minutes=10).total_seconds())
_SIGNER_WRONG = "must be a fully qualified domain and path of the form 'example.com/signer-name'"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    if not spec.get("usages"):
        errors.append(required("spec.usages", "at least one usage is required"))
    signer = spec.get("signerName") or ""
    host, slash, path = signer.partition("/")
    if signer and (not slash or not host or not path):
        errors.append(invalid_value("spec.signerName", signer, _SIGNER_WRONG))
    wanted_s = spec.get("expirationSeconds")
    if wanted_s is not None and wanted_s < _SHORTEST_S:
        why = f"may not specify a duration less than {_SHORTEST_S} seconds (10 minutes)"
        errors.append(invalid_value("spec.expirationSeconds", wanted_s, why))
    return errors


def csr_status_words(csr: Object) -> str:
    """The Condition cell: Pending, Approved, Denied, with Issued or Failed."""
    status = csr.get("status") or {}
    conditions = {condition.get("type") for condition in status.get("conditions") or ()}
    word = "Denied" if "Denied" in conditions else "Approved" if "Approved" in conditions else "Pending"
    words = [word]
    if "Failed" in conditions:
        words.append("Failed")
    if status.get("certificate"):
        words.append("Issued")
    return ",".join(words)


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    wanted_s = spec.get("expirationSeconds")
    return [
        name_of(obj),
        age_of(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username") or "",
        human_duration(wanted_s) if wanted_s is not None else NONE,
        csr_status_words(obj),
    ]


def _signer(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("signerName") or ""
    return found


CERTIFICATE_SIGNING_REQUESTS = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    namespaced=False,
    short_names=("csr",),
    subresources=(Subresource("approval"), Subresource("status")),
    strategy=SchemaStrategy(
        schema=_SCHEMA, namespaced=False, has_status=True, immutable=("spec",), rules=_rules, row=_row
    ),
    columns=(
        NAME,
        AGE,
        Column("SignerName", description="The requested signer."),
        Column("Requestor", description="Who asks."),
        Column("RequestedDuration", description="How long the certificate is to be valid."),
        Column("Condition", description="How far the request has come."),
    ),
    selectable={"spec.signerName": _signer},
    schema=_SCHEMA,
)
