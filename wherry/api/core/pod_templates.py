"""PodTemplate: a pod to be made, kept by itself."""

from __future__ import annotations

from wherry.api.resource import Resource

POD_TEMPLATES = Resource(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    namespaced=True,
    schema="io.k8s.api.core.v1.PodTemplate",
)
