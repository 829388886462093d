"""CertificateSigningRequest: asks a signer for a certificate.

What is asked for, and who asks, never changes; approval, denial and the certificate are added through
subresources. Who asks (`spec.username` and the rest) is set by the server, not by the client.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.certificates.signing import (
    date_conditions,
    keep_decisions,
    kept_errors,
    spec_errors,
    status_errors,
)
from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Subresource, restore
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import NameRule
from wherry.objects.durations import human_duration
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.certificates.v1.CertificateSigningRequest"
_ANY_NAME = NameRule(lambda _name: [], lambda _name: [])


def _prepare(new: Object, old: Object | None) -> None:
    """What was asked for stays, whatever an update says."""
    if old is not None:
        new["spec"] = old.get("spec")


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    errors = spec_errors(new.get("spec") or {}, old is not None)
    errors += status_errors(new, old)
    return errors if old is None else errors + kept_errors(new, old, may_decide=False)


def _status_rules(new: Object, old: Object) -> list[FieldError]:
    return status_errors(new, old) + kept_errors(new, old, may_decide=False, may_issue=True)


class _Strategy(SchemaStrategy):
    """Beyond the schema: what a write of status does to decisions made, and when conditions changed."""

    def prepare_status(self, new: Object, old: Object) -> None:
        """Put back what was asked for, and decisions as they were made."""
        restore(new, old, "spec")
        keep_decisions(new, old)

    def stamp(self, new: Object, old: Object | None, now: str) -> None:
        """Date new conditions."""
        if old is not None:
            date_conditions(new, old, now)


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
    strategy=_Strategy(
        schema=_SCHEMA,
        namespaced=False,
        name_rule=_ANY_NAME,
        has_status=True,
        status_resets=("spec", "status.conditions"),
        is_complete=True,
        prepares=_prepare,
        rules=_rules,
        status_rules=_status_rules,
        row=_row,
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
