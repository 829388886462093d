"""Where the objects of custom kinds are read and written: a `Source` over a view for each version."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.resource import Resource
from wherry.apiserver.core import Core
from wherry.apiserver.customresources.views import VersionView
from wherry.apiserver.registry import Source
from wherry.objects.meta import Object


class Sources:
    """Makes the sources of the kinds of one API server."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def of(self, crd: Object, resources: Sequence[Resource]) -> list[tuple[Resource, Source]]:
        """A source for each of the definition's `resources`, not opened yet."""
        made = [(resource, self._source(crd, resource)) for resource in resources]
        views = [source.store for _, source in made if type(source.store) is VersionView]
        for view in views:
            view.versions = views
        return made

    def _source(self, crd: Object, resource: Resource) -> Source:
        if resource.custom is None or resource.storage_version is None:
            raise ValueError(f"{resource} is not a custom kind")
        group, version = resource.storage_version
        stored = f"{group}/{version}"
        conversion = crd["spec"].get("conversion") or {}
        if conversion.get("strategy") != "Webhook":
            view = VersionView(
                self._core.store, resource.custom, resource.api_version, stored, self._core.threads
            )
            source = Source(resource, view, self._core.registry.shared)
            source.old_forms = view.old_forms
            return source
        from wherry.apiserver.customresources.conversion import (
            ConversionWebhook,
            ConvertedSource,
            ConvertedView,
        )

        webhook = ConversionWebhook(self._core, resource.kind, conversion.get("webhook") or {})
        return ConvertedSource(
            resource,
            ConvertedView(
                self._core.store, resource.custom, resource.api_version, stored, self._core.threads, webhook
            ),
            self._core.registry.shared,
        )
