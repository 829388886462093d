"""ServiceAccount: who a pod is to the API server."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

SERVICE_ACCOUNTS = Resource(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    namespaced=True,
    short_names=("sa",),
    subresources=(
        Subresource(
            "token", verbs=("create",), group="authentication.k8s.io", version="v1", kind="TokenRequest"
        ),
    ),
    schema="io.k8s.api.core.v1.ServiceAccount",
)
