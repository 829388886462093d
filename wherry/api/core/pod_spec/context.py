"""What the validation of one container needs to know of its pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PodContext:
    """The pod around a container.

    `volumes` are the valid volumes by name, `claims` the names of its resource claims, `grace_s` its
    termination grace period. `system` is what `spec.os` names, "" for nothing.
    `is_pod` tells a real pod from a controller's template.
    """

    is_pod: bool
    volumes: Mapping[str, Mapping[str, Any]]
    claims: frozenset[str]
    grace_s: int | None
    restart_policy: str
    host_users: bool
    system: str
