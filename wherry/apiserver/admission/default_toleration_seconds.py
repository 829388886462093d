"""DefaultTolerationSeconds: pods stay five minutes on a node that went away, unless they say otherwise.

Updates are filled in too: whoever writes a pod's tolerations anew, as an apply does, leaves these out.
"""

from __future__ import annotations

from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.objects.meta import Object

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
SECONDS = 300


class DefaultTolerationSeconds(BasePlugin):
    """See the module."""

    name = "DefaultTolerationSeconds"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PODS and not subresource and operation in (CREATE, UPDATE)

    async def admit(self, attributes: Attributes) -> None:
        spec = (attributes.obj or {}).get("spec")
        if spec is None:
            return
        tolerations: list[Object] = spec.get("tolerations") or []
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
            for key in (NOT_READY, UNREACHABLE)
            if not any(_tolerates(item, key) for item in tolerations)
        ]
        if added:
            spec["tolerations"] = [*tolerations, *added]
            attributes.is_changed |= attributes.operation == UPDATE


def _tolerates(toleration: Object, key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")
