"""CustomResourceDefinition: a kind of your own.

The object's name is `<plural>.<group>`; exactly one version is stored. Schemas are validated by the part
of the API server that serves the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.apiextensions.definition_rules import definition_errors, status_errors
from wherry.api.apiextensions.stored_definitions import from_v1beta1, to_v1beta1
from wherry.api.resource import COMPILES, Resource, Subresource, restore
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.conditions import with_condition
from wherry.objects.meta import Object

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""Keeps a deleted definition until its objects are gone."""
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
_PENDING = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("preserveUnknownFields"):
        spec.pop("preserveUnknownFields", None)
    names = spec.setdefault("names", {})
    kind = names.get("kind") or ""
    if kind and not names.get("singular"):
        names["singular"] = kind.lower()
    if kind and not names.get("listKind"):
        names["listKind"] = f"{kind}List"
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443


def storage_version(crd: Mapping[str, Any]) -> str:
    """The version objects are stored in, "" if none is marked."""
    versions = (crd.get("spec") or {}).get("versions") or ()
    return next((version.get("name") or "" for version in versions if version.get("storage")), "")


def _prepare(new: Object, old: Object | None) -> None:
    """Remember every version objects were ever stored in: data may still be in it."""
    stored = list((((old or {}).get("status") or {}).get("storedVersions")) or ())
    version = storage_version(new)
    if version and version not in stored:
        stored.append(version)
    status = dict(new.get("status") or {})
    status["storedVersions"] = stored
    new["status"] = status


class _Strategy(SchemaStrategy):
    """Beyond the schema: a deleted definition waits for its objects."""

    def prepare_status(self, new: Object, old: Object) -> None:
        """Put the spec back. Nobody comes to own metadata here, but upstream lets it through.

        Its controller takes the cleanup finalizer away by a write of status.
        """
        restore(new, old, "spec")

    def prepare_deletion(self, obj: Object, now: str) -> None:
        """Hold the definition until its objects are deleted, and say so."""
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if CLEANUP_FINALIZER not in finalizers:
            finalizers.append(CLEANUP_FINALIZER)
        status = obj.setdefault("status", {})
        status["conditions"] = with_condition(
            status.get("conditions"), "Terminating", "True", now, "InstanceDeletionPending", _PENDING
        )


CUSTOM_RESOURCE_DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=(Subresource("status"),),
    strategy=_Strategy(
        unconditional_update=False,
        weight_factor=COMPILES,
        schema=_SCHEMA,
        namespaced=False,
        has_status=True,
        status_resets=("spec", "metadata"),
        is_complete=True,
        tracks_generation=True,
        defaults=_default,
        prepares=_prepare,
        rules=definition_errors,
        status_rules=status_errors,
    ),
    schema=_SCHEMA,
    storage_key="apiextensions.k8s.io/customresourcedefinitions",
    storage_version=("apiextensions.k8s.io", "v1beta1"),
    to_storage=to_v1beta1,
    from_storage=from_v1beta1,
)
