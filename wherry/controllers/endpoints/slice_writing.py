"""What both controllers of EndpointSlices share: whose slices are whose, and carrying out a plan."""

from __future__ import annotations

from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.events import WARNING
from wherry.controllers.base import Controller, is_namespace_terminating
from wherry.controllers.endpoints.slice_plan import SlicePlan
from wherry.controllers.endpoints.slices import MANAGED_BY, SERVICE_NAME
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, labels_of, namespace_of


def keys_of(piece: Object, manager: str) -> list[str]:
    """The key of the service (and of its Endpoints) whose slice this is; none if it is not `manager`'s."""
    labels = labels_of(piece)
    if labels.get(MANAGED_BY) != manager or not labels.get(SERVICE_NAME):
        return []
    return [f"{namespace_of(piece)}/{labels[SERVICE_NAME]}"]


async def write_slices(controller: Controller, key: str, owner: Object, plan: SlicePlan) -> None:
    """Carry the plan out for `owner`, a Service or Endpoints, who is told of what fails. Raises ApiError."""
    try:
        for piece in plan.create:
            await controller.create(key, ENDPOINT_SLICES, piece)
        for piece in plan.update:
            await controller.update(key, ENDPOINT_SLICES, piece)
        for piece in plan.delete:
            await controller.delete(key, ENDPOINT_SLICES, piece)
    except ApiError as error:
        if is_namespace_terminating(error):
            return
        if error.code != 409:
            message = f"Error updating Endpoint Slices for {controller.primary.kind} {key}: {error.message}"
            controller.events.event(owner, WARNING, "FailedToUpdateEndpointSlices", message)
        raise
