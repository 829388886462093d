"""ClusterTrustBundle: the trust anchors of a signer, or of nobody in particular."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import NAME, NONE
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import NameRule
from wherry.objects.errors import FieldError, invalid_value
from wherry.objects.meta import Object, name_of
from wherry.objects.names import is_dns1123_subdomain

_SCHEMA = "io.k8s.api.certificates.v1.ClusterTrustBundle"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    signer, name = (new.get("spec") or {}).get("signerName") or "", name_of(new)
    prefix = signer.replace("/", ":") + ":"
    if signer and not name.startswith(prefix):
        why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        return [invalid_value("metadata.name", name, why)]
    if not signer and ":" in name:
        why = 'ClusterTrustBundle without signer name must not have ":" in its name'
        return [invalid_value("metadata.name", name, why)]
    return []


def _check_name(name: str) -> list[str]:
    return [text for part in name.split(":") for text in is_dns1123_subdomain(part)]


def _row(obj: Object, _now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("spec") or {}).get("signerName") or NONE]


def _signer(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("signerName") or ""
    return found


CLUSTER_TRUST_BUNDLES = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="ClusterTrustBundle",
    plural="clustertrustbundles",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        name_rule=NameRule(_check_name, _check_name),
        immutable=("spec.signerName",),
        rules=_rules,
        row=_row,
    ),
    columns=(NAME, Column("SignerName", description="The signer whose anchors these are.")),
    selectable={"spec.signerName": _signer},
    schema=_SCHEMA,
    storage_version=("certificates.k8s.io", "v1beta1"),  # which the release before can read
)
