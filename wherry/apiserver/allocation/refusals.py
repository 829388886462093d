"""How a Service is refused what it asks for."""

from __future__ import annotations

from wherry.api.core.services import SERVICES
from wherry.objects.errors import ApiError, invalid, invalid_value
from wherry.objects.meta import Object, name_of


def refused(service: Object, field: str, value: object, why: str) -> ApiError:
    """422, for one field."""
    return invalid(SERVICES.kind, "", name_of(service), [invalid_value(field, value, why)])
