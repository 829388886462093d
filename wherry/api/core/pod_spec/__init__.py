"""The `PodSpec`: defaults and validation, shared by pods and by everything with a pod template."""

from wherry.api.core.pod_spec.defaults import default_pod_only, default_pod_spec, default_pod_template
from wherry.api.core.pod_spec.spec import validate_pod_spec, validate_pod_template

__all__ = [
    "default_pod_only",
    "default_pod_spec",
    "default_pod_template",
    "validate_pod_spec",
    "validate_pod_template",
]
