"""RFC 7386 JSON Merge Patch: maps are merged, null removes, everything else replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.meta import Object
from wherry.objects.patches.failure import PatchFailed


def apply_merge_patch(obj: Object, patch: Mapping[str, Any]) -> Object:
    """The object with the patch merged in. Raises PatchFailed (400) for a patch that is no map."""
    if not isinstance(patch, dict):
        raise PatchFailed("Invalid JSON Patch")
    return _merge(obj, patch)


def _merge(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = _merge(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result
