"""What to do about the finalizer of one object, and how: shared by the controllers of this folder."""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.controllers.base import Controller
from wherry.objects.meta import Object, is_deleting, metadata


def finalizers(obj: Object) -> list[str]:
    """`metadata.finalizers`, empty when absent."""
    return list(metadata(obj).get("finalizers") or ())


def awaits_release(obj: Object, finalizer: str) -> bool:
    """Whether the object is deleted and held by the finalizer."""
    return is_deleting(obj) and finalizer in finalizers(obj)


def lacks(obj: Object, finalizer: str) -> bool:
    """Whether the object should have the finalizer and has not."""
    return not is_deleting(obj) and finalizer not in finalizers(obj)


async def write_finalizers(
    controller: Controller, key: str, resource: Resource, obj: Object, wanted: list[str]
) -> None:
    """Replace the object's finalizers. Raises ApiError (409 if it changed meanwhile)."""
    await controller.update(key, resource, {**obj, "metadata": {**obj["metadata"], "finalizers": wanted}})
