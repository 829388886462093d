"""ClusterTrustBundle: the trust anchors of a signer, or of nobody in particular."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.certificates.pem import CERTIFICATE, Block, blocks_of, certificate, is_authority
from wherry.api.certificates.signers import signer_name_errors
from wherry.api.columns import NAME, NONE
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import NameRule
from wherry.objects.errors import FieldError, invalid_value, too_long
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_subdomain_errors

BUNDLE_LIMIT_B = 1024 * 1024
_ANY_NAME = NameRule(lambda _name: [], lambda _name: [])  # the rules know better, having the signer
_SCHEMA = "io.k8s.api.certificates.v1.ClusterTrustBundle"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec, name = new.get("spec") or {}, name_of(new)
    signer, bundle = spec.get("signerName") or "", spec.get("trustBundle") or ""
    errors = _name_errors(name, signer)
    if signer:
        errors += signer_name_errors(signer, "spec.signerName")
    if old is None or bundle != ((old.get("spec") or {}).get("trustBundle") or ""):
        errors += _bundle_errors(bundle, "spec.trustBundle")
    return errors


def _name_errors(name: str, signer: str) -> list[FieldError]:
    """The name of the bundle begins with that of its signer, if it has one."""
    path, prefix = "metadata.name", signer.replace("/", ":") + ":" if signer else ""
    if not name.startswith(prefix):
        why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        return [invalid_value(path, name, why)]
    if not signer and ":" in name:
        why = 'ClusterTrustBundle without signer name must not have ":" in its name'
        return [invalid_value(path, name, why)]
    return [invalid_value(path, name, text) for text in dns1123_subdomain_errors(name.removeprefix(prefix))]


def _bundle_errors(bundle: str, path: str) -> list[FieldError]:
    if len(bundle.encode()) > BUNDLE_LIMIT_B:
        return [too_long(path, BUNDLE_LIMIT_B)]
    wrongs: list[str] = []
    places: dict[bytes, list[int]] = {}
    for index, block in enumerate(blocks_of(bundle)):
        if wrong := _wrong_block(block):
            wrongs.append(f"entry {index} {wrong}")
        places.setdefault(block.contents, []).append(index)
    if not wrongs and not places:
        wrongs.append("at least one trust anchor must be provided")
    elif not wrongs:
        twice = [found for found in places.values() if len(found) > 1]
        wrongs += [f"duplicate trust anchor (indices [{' '.join(map(str, found))}])" for found in twice]
    return [invalid_value(path, "<value omitted>", wrong) for wrong in wrongs]


def _wrong_block(block: Block) -> str:
    if block.kind != CERTIFICATE:
        return f"has bad block type: {block.kind}"
    if block.has_headers:
        return "has PEM block headers"
    found = certificate(block.contents)
    if found is None:
        return "does not parse as X.509"
    return "" if is_authority(found) else "does not have the CA bit set"


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
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        name_rule=_ANY_NAME,
        is_complete=True,
        immutable=("spec.signerName",),
        rules=_rules,
        row=_row,
    ),
    columns=(NAME, Column("SignerName", description="The signer whose anchors these are.")),
    selectable={"spec.signerName": _signer},
    schema=_SCHEMA,
    storage_version=("certificates.k8s.io", "v1beta1"),  # which the release before can read
)
