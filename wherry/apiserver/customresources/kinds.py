"""From a definition to what is served: one `Resource` for each served version. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from wherry.api.apiextensions.custom_kind import CustomKind, ScalePaths
from wherry.api.resource import ALL_VERBS, Resource, Subresource
from wherry.apiserver.customresources.columns import Cells, columns_of
from wherry.apiserver.customresources.strategy import CustomStrategy
from wherry.objects.conditions import is_true
from wherry.objects.jsonpath import parse_json_path, simple_fields
from wherry.objects.meta import Object, is_deleting

VERBS_WHILE_TERMINATING = tuple(verb for verb in ALL_VERBS if verb != "create")


def is_served(crd: Object) -> bool:
    """Whether the definition's kind is to be had."""
    return is_true((crd.get("status") or {}).get("conditions"), "Established")


def signature(crd: Object) -> bytes:
    """Bytes that differ whenever objects are to be read or shown in another way."""
    status = crd.get("status") or {}
    facts = (crd["spec"], status.get("acceptedNames"), status.get("storedVersions"))
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)


def storage_version(crd: Object) -> str:
    """The version objects are stored in."""
    return next(str(version["name"]) for version in crd["spec"]["versions"] if version.get("storage"))


def resources_of(crd: Object) -> list[Resource]:
    """Every served version as a resource, in the definition's order."""
    return [resource_of(crd, version) for version in crd["spec"]["versions"] if version.get("served")]


def resource_of(crd: Object, version: Mapping[str, Any]) -> Resource:
    """One version as a resource, with the names that were accepted."""
    spec = crd["spec"]
    names = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    group, kind = spec["group"], names["kind"]
    namespaced = spec["scope"] == "Namespaced"
    columns = version.get("additionalPrinterColumns") or ()
    custom = custom_kind(version)
    subresources = subresources_of(version)
    return Resource(
        group=group,
        version=version["name"],
        kind=kind,
        plural=names["plural"],
        singular=names.get("singular") or "",
        namespaced=namespaced,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=VERBS_WHILE_TERMINATING if is_deleting(crd) else ALL_VERBS,
        subresources=subresources,
        strategy=CustomStrategy(
            custom,
            Cells(columns),
            namespaced=namespaced,
            has_status=any(sub.name == "status" for sub in subresources),
        ),
        columns=columns_of(columns),
        selectable=selectable_of(version),
        storage_key=f"{group}/{names['plural']}",
        storage_version=(group, storage_version(crd)),
        deprecation=deprecation_of(group, kind, version),
        custom=custom,
    )


def custom_kind(version: Mapping[str, Any]) -> CustomKind:
    """The schema of one version."""
    document = (version.get("schema") or {}).get("openAPIV3Schema")
    scale = (version.get("subresources") or {}).get("scale")
    return CustomKind(document, scale_paths(scale) if scale else None)


def scale_paths(scale: Mapping[str, Any]) -> ScalePaths:
    """Where the Scale's values are."""
    selector = scale.get("labelSelectorPath")
    return ScalePaths(
        simple_fields(scale["specReplicasPath"]),
        simple_fields(scale["statusReplicasPath"]),
        simple_fields(selector) if selector else (),
    )


def subresources_of(version: Mapping[str, Any]) -> tuple[Subresource, ...]:
    """status and scale, as far as the version has them."""
    declared = version.get("subresources") or {}
    found: list[Subresource] = []
    if declared.get("status") is not None:
        found.append(Subresource("status"))
    if declared.get("scale") is not None:
        found.append(Subresource("scale", group="autoscaling", version="v1", kind="Scale"))
    return tuple(found)


def selectable_of(version: Mapping[str, Any]) -> dict[str, Callable[[Object], str]]:
    """Readers of the fields that field selectors may ask for, by their names (`spec.color`)."""
    return {
        field["jsonPath"].removeprefix("."): _reader(field["jsonPath"])
        for field in version.get("selectableFields") or ()
    }


def _reader(path: str) -> Callable[[Object], str]:
    compiled = parse_json_path(path)

    def read(obj: Object) -> str:
        value = compiled.first(obj)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    return read


def deprecation_of(group: str, kind: str, version: Mapping[str, Any]) -> str:
    """The warning of a deprecated version, "" for others."""
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{group}/{version['name']} {kind} is deprecated"
