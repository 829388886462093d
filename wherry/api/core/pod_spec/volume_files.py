"""Files in volumes: which key of a ConfigMap or Secret, or which field of the pod, goes to which path."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.core.pod_spec.downward import validate_field_ref, validate_resource_ref
from wherry.api.core.pod_spec.rules import (
    Errors,
    Fields,
    check_local_path,
    check_mode,
    check_owner,
    check_present,
)
from wherry.objects.errors import invalid_value, required

FIELD_PATHS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)


def validate_key_file(item: Fields, path: str, errors: Errors) -> None:
    """A `KeyToPath`."""
    check_present(item, ("key", "path"), path, errors)
    check_local_path(item.get("path") or "", f"{path}.path", errors)
    check_mode(item, "mode", path, errors)
    check_owner(item, "user", path, errors)


def validate_downward_files(files: Sequence[Fields], path: str, errors: Errors) -> None:
    """`DownwardAPIVolumeFile`s; upstream names the volume, not the file, in what is wrong."""
    for file in files:
        check_present(file, ("path",), path, errors)
        check_local_path(file.get("path") or "", f"{path}.path", errors)
        field, resource = file.get("fieldRef"), file.get("resourceFieldRef")
        if field is not None:
            validate_field_ref(field, FIELD_PATHS, f"{path}.fieldRef", errors)
            if resource is not None:
                detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
                errors.append(invalid_value(path, "resource", detail))
        elif resource is not None:
            validate_resource_ref(resource, f"{path}.resourceFieldRef", True, errors)
        else:
            errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
        check_mode(file, "mode", path, errors)
        check_owner(file, "user", path, errors)
