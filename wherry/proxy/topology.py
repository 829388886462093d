"""Which endpoints hints keep traffic to: those meant for this node, or for its zone. Pure.

Hints are heeded only when every ready endpoint has one and some are for here: else all of them get traffic.
Source: pkg/proxy/topology.go, topologyModeFromHints and availableForTopology.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where this proxy is; `zone` is "" when its node does not say."""

    node: str
    zone: str = ""


def near(ready: Sequence[Mapping[str, Any]], place: Place) -> Sequence[Mapping[str, Any]]:
    """Of the entries of slices that are ready, those that get traffic from `place`."""
    for field, here in (("forNodes", place.node), ("forZones", place.zone)):
        hinted = [_names(entry, field) for entry in ready]
        if all(hinted) and any(here in names for names in hinted):
            return [entry for entry, names in zip(ready, hinted, strict=True) if here in names]
    return ready


def _names(entry: Mapping[str, Any], field: str) -> set[str]:
    listed: Iterable[Mapping[str, str]] = (entry.get("hints") or {}).get(field) or ()
    return {item["name"] for item in listed}
