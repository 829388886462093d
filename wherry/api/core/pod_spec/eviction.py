"""`evictionResponders`: who is asked, in which order, before a pod is evicted (KEP-4563, alpha upstream).

Rules: the validation tags of core/v1 EvictionResponder.
"""

from __future__ import annotations

from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.objects.errors import duplicate_value, forbidden_value, invalid_value, required, too_many
from wherry.objects.names import qualified_name_errors

MAX_RESPONDERS = 10
HIGHEST_PRIORITY = 100_000
RESERVED_PRIORITY = 1000


def validate_eviction(spec: Fields, path: str, errors: Errors) -> None:
    """The responders of the pod's spec at `path`."""
    responders = spec.get("evictionResponders")
    if not responders:
        return
    at = f"{path}.evictionResponders"
    if len(responders) > MAX_RESPONDERS:
        errors.append(too_many(at, len(responders), MAX_RESPONDERS))
    if spec.get("schedulingGroup") is not None:
        errors.append(forbidden_value(at, "may not be specified when `schedulingGroup` is specified"))
    seen: set[str] = set()
    for index, responder in enumerate(responders):
        name = responder.get("name") or ""
        if name in seen:
            errors.append(duplicate_value(f"{at}[{index}]", {"name": name}))
        seen.add(name)
        _validate_name(name, f"{at}[{index}].name", errors)
        _validate_priority(responder.get("priority"), name, f"{at}[{index}].priority", errors)


def _validate_name(name: str, path: str, errors: Errors) -> None:
    if not name:
        errors.append(required(path))
        return
    wrong = qualified_name_errors(name)
    if not wrong and "/" not in name:
        wrong = ['must be a domain-prefixed key (such as "acme.io/foo")']
    errors.extend([invalid_value(path, name, text) for text in wrong])


def _validate_priority(priority: int | None, name: str, path: str, errors: Errors) -> None:
    if priority is None:
        errors.append(required(path))
    elif priority < 0:
        errors.append(invalid_value(path, priority, "must be greater than or equal to 0"))
    elif priority > HIGHEST_PRIORITY:
        errors.append(invalid_value(path, priority, f"must be less than or equal to {HIGHEST_PRIORITY}"))
    elif priority < RESERVED_PRIORITY and not name.partition("/")[0].endswith(".k8s.io"):
        detail = f"the interval 0-{RESERVED_PRIORITY - 1} is reserved for responders with *.k8s.io suffix"
        errors.append(invalid_value(path, priority, detail))
