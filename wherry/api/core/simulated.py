"""Which nodes are simulated: a Node says so itself.

The annotation is KWOK's (kwok.x-k8s.io), so that Nodes written for it work here.
"""

from __future__ import annotations

from wherry.objects.meta import Object, annotations_of

SIMULATED = "kwok.x-k8s.io/node"
"""The annotation, with the value "fake"."""


def is_simulated(node: Object) -> bool:
    """Whether nothing runs on that node: it, and its pods, live only in the API."""
    return annotations_of(node).get(SIMULATED) == "fake"
