"""What table columns of many kinds share: name and age, labels and selectors as text, containers.

Texts are upstream's printers': "<none>" for nothing, `a=b,c in (d,e)` for selectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.resource import Column
from wherry.objects.durations import age
from wherry.objects.meta import Object, metadata

NONE = "<none>"
UNSET = "<unset>"

NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", description="Time since the object was created.")
CONTAINERS = Column("Containers", description="Names of each container in the template.", priority=1)
IMAGES = Column("Images", description="Images referenced by each container in the template.", priority=1)
SELECTOR = Column("Selector", description="Label selector for pods.", priority=1)


def age_of(obj: Object, now: datetime) -> str:
    """The Age cell."""
    return age(metadata(obj).get("creationTimestamp"), now)


def format_labels(labels: Mapping[str, str] | None) -> str:
    """Labels in order, `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def format_selector(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as the text kubectl takes with `-l`; "<none>" for an absent or empty one."""
    terms = [(key, f"{key}={value}") for key, value in ((selector or {}).get("matchLabels") or {}).items()]
    requirements = (selector or {}).get("matchExpressions") or ()
    terms += [(requirement.get("key") or "", _requirement(requirement)) for requirement in requirements]
    return ",".join(text for _, text in sorted(terms)) or NONE


def _requirement(requirement: Mapping[str, Any]) -> str:
    key = requirement.get("key") or ""
    values = ",".join(sorted(requirement.get("values") or ()))
    match requirement.get("operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "Exists":
            return key
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return "<error>"


def container_cells(pod_spec: Mapping[str, Any] | None) -> list[str]:
    """The cells under `CONTAINERS, IMAGES`."""
    containers: Sequence[Mapping[str, Any]] = (pod_spec or {}).get("containers") or ()
    names = ",".join(container.get("name") or "" for container in containers)
    return [names, ",".join(container.get("image") or "" for container in containers)]


def template_cells(owner: Mapping[str, Any]) -> list[str]:
    """`CONTAINERS, IMAGES` of anything with a pod template at spec.template."""
    template = (owner.get("spec") or {}).get("template") or {}
    return container_cells(template.get("spec"))


def bool_text(value: bool | None) -> str:
    """A flag as Go prints it; "<unset>" when absent."""
    return UNSET if value is None else "true" if value else "false"
