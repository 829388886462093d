"""Selectors of webhooks and policies: by the labels of the namespace, and of the object itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from wherry.api.core.namespaces import NAMESPACES
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes
from wherry.objects.errors import not_found
from wherry.objects.meta import NO_LABELS, Object, labels_of
from wherry.objects.selectors import Selector, from_label_selector


class Selectors(NamedTuple):
    """Both selectors; None selects everything."""

    namespace: Selector | None
    object: Selector | None

    def match(self, attributes: Attributes) -> bool:
        """Whether the request is selected. Raises ApiError (404) when its namespace is not there."""
        if self.namespace is not None and not _matches_namespace(self.namespace, attributes):
            return False
        return self.object is None or any(
            self.object.matches(labels_of(obj))
            for obj in (attributes.obj, attributes.previous)
            if obj is not None and isinstance(obj.get("metadata"), dict)
        )


def selectors_of(declared: Mapping[str, Any]) -> Selectors:
    """`namespaceSelector` and `objectSelector` of a webhook or of match constraints."""
    return Selectors(_selector(declared.get("namespaceSelector")), _selector(declared.get("objectSelector")))


def _selector(declared: Mapping[str, Any] | None) -> Selector | None:
    return from_label_selector(dict(declared)) if declared else None


def _matches_namespace(selector: Selector, attributes: Attributes) -> bool:
    """Objects of the cluster are always selected; a namespace is by its own labels."""
    is_namespace = attributes.resource is NAMESPACES
    if not attributes.namespace and not is_namespace:
        return True
    if is_namespace and not attributes.subresource and attributes.operation in (CREATE, UPDATE):
        return selector.matches(labels_of(attributes.obj or {}))
    return selector.matches(_labels_of_namespace(attributes))


def _labels_of_namespace(attributes: Attributes) -> Mapping[str, str]:
    name = attributes.namespace or attributes.name
    cached = attributes.core.registry.of(NAMESPACES).get("", name)
    if cached is None:
        raise not_found("namespaces", "", name)
    return cached.labels or NO_LABELS


def namespace_object(attributes: Attributes) -> Object | None:
    """The namespace a request is in, None for objects of the cluster, namespaces among them.

    Raises ApiError (404) when it is not there.
    """
    if not attributes.namespace or attributes.resource is NAMESPACES:
        return None
    cached = attributes.core.registry.of(NAMESPACES).get("", attributes.namespace)
    if cached is None:
        raise not_found("namespaces", "", attributes.namespace)
    return cached.decode()
