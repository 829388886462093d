"""Unattended: who creates what nothing in this cluster acts on is told so, with a warning.

No plugin of upstream's, where every kind has its controller. Which kinds those are is told from outside
(`cluster/unattended`): an API server alone says nothing, since it cannot know who else is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.api.networking.ingress_classes import INGRESS_CLASSES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin

STORED = "{kind} is stored, but no controller of this cluster acts on it yet"


def always(_: Mapping[str, Any]) -> bool:
    """Whatever the object says."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattended:
    """A kind somebody should act on.

    `resource` is its plural, in one of `groups`; `controller` who acts on it, by upstream's name (without
    "-controller"). Only objects that `concerns` says yes to are meant. `says` is the warning's text, `{kind}`
    in it the object's kind. With `until_class` an IngressClass shows that somebody acts on it.
    """

    resource: str
    groups: tuple[str, ...]
    controller: str
    says: str = STORED
    concerns: Callable[[Mapping[str, Any]], bool] = always
    until_class: bool = False


class UnattendedKinds(BasePlugin):
    """Warns about the kinds in `rows`."""

    name = "UnattendedKinds"

    def __init__(self, rows: Sequence[Unattended]) -> None:
        self._rows = {(group, row.resource): row for row in rows for group in row.groups}

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return operation == CREATE and not subresource and (resource.group, resource.plural) in self._rows

    async def validate(self, attributes: Attributes) -> None:
        resource = attributes.resource
        row = self._rows[resource.group, resource.plural]
        if attributes.obj is None or not row.concerns(attributes.obj):
            return
        if row.until_class:
            classes = attributes.core.registry.of(INGRESS_CLASSES)
            await classes.source.open()
            if classes.cacher.list()[0]:
                return
        attributes.warn(row.says.format(kind=resource.kind))
