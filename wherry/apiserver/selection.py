"""Which objects a list or watch is about: label and field selectors as one match over the cache."""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.cached import Match
from wherry.apiserver.call import Call
from wherry.apiserver.options import ListOptions
from wherry.apiserver.parts import Parts
from wherry.apiserver.selected import Selection
from wherry.objects.errors import bad_request
from wherry.objects.selectors import parse_field_selector, parse_label_selector

__all__ = ["Match", "Selection", "select", "selected"]

LONG = 2048
"""A selector of more characters takes some milliseconds to read, and is read beside the loop."""
ALWAYS_SELECTABLE = ("metadata.name", "metadata.namespace")


async def selected(core: Parts, call: Call, resource: Resource, options: ListOptions) -> Selection | None:
    """What the list or watch `call` asks for lets through; see `select`. Raises ApiError (400)."""
    length = len(options.label_selector) + len(options.field_selector)
    size = LARGE if length > LONG else 0
    return await beside(core, call, lambda: select(resource, options, call.info.name), size)


def select(resource: Resource, options: ListOptions, name: str = "") -> Selection | None:
    """What `options` (and `name`, if given) let through; None for everything.

    Raises ApiError (400) for a selector that cannot be read or a field the kind does not offer.
    """
    try:
        labels = parse_label_selector(options.label_selector) if options.label_selector else None
        fields = parse_field_selector(options.field_selector) if options.field_selector else None
    except ValueError as error:
        raise bad_request(str(error)) from error
    if fields is not None:
        for field in fields.fields:
            if field not in ALWAYS_SELECTABLE and field not in resource.selectable:
                raise bad_request(_unsupported(resource, field))
    if labels is not None and labels.is_empty:
        labels = None
    if fields is not None and fields.is_empty:
        fields = None
    if name and fields is not None and len(fields.fields) == 1:
        fields = None  # the name says it all
    if not name and labels is None and fields is None:
        return None
    return Selection(name, labels, fields)


def _unsupported(resource: Resource, field: str) -> str:
    """Upstream's words, which differ with how a kind declares its fields."""
    if resource.kind == "Job":
        return f'field label "{field}" not supported for Job'
    if resource.kind == "ResourceSlice":
        return f"field label not supported for {resource.api_version}, Kind={resource.kind}: {field}"
    if not resource.selectable and resource.custom is None:
        return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    return f"field label not supported: {field}"
