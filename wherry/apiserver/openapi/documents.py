"""OpenAPI documents: v3, one for each group version, and v2, one for everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus

from wherry import KUBERNETES_VERSION
from wherry.api.resource import Resource
from wherry.apiserver.discovery import groups_of
from wherry.apiserver.media_types import PROTOBUF
from wherry.apiserver.openapi.custom_schemas import GVK
from wherry.apiserver.openapi.operations import Operation, root_operations, version_operations
from wherry.apiserver.openapi.parameters import Parameter
from wherry.apiserver.openapi.schemas import CustomSchema, Schemas
from wherry.objects.meta import Object

JSON_AND_YAML = ("application/json", "application/yaml")
STREAM = "application/json;stream=watch"
PROTOBUF_STREAM = f"{PROTOBUF};stream=watch"
INFO: Object = {"title": "Kubernetes", "version": KUBERNETES_VERSION}
BEARER: Object = {
    "type": "apiKey",
    "name": "authorization",
    "in": "header",
    "description": "Bearer Token authentication",
}


def version_document(
    group: str, version: str, resources: Sequence[Resource], custom: CustomSchema | None = None
) -> Object:
    """The OpenAPI v3 document of one group version; `resources` may hold others too."""
    own = [r for r in resources if (r.group, r.version) == (group, version)]
    return _document(version_operations(group, version, own), Schemas(3, own, custom))


def root_document(path: str, resources: Sequence[Resource]) -> Object | None:
    """The OpenAPI v3 document of a path beside the resources, such as `apis/apps`, if there is one."""
    operations = [o for o in root_operations(list(groups_of(resources))) if o.path.strip("/") == path]
    return _document(operations, Schemas(3, ())) if operations else None


def root_paths(resources: Sequence[Resource]) -> list[str]:
    """All paths `root_document` has a document for."""
    return [operation.path.strip("/") for operation in root_operations(list(groups_of(resources)))]


def _document(operations: Iterable[Operation], schemas: Schemas) -> Object:
    paths = _paths(operations, schemas, version=3)
    return {
        "openapi": "3.0.0",
        "info": INFO,
        "paths": paths,
        "components": {"schemas": schemas.rendered(), "securitySchemes": {"BearerToken": BEARER}},
    }


def whole_document(resources: Sequence[Resource], custom: CustomSchema | None = None) -> Object:
    """The OpenAPI v2 (Swagger) document of everything."""
    schemas = Schemas(2, resources, custom)
    paths = _paths(root_operations(list(groups_of(resources))), schemas, version=2)
    for group, versions in groups_of(resources).items():
        for version in versions:
            own = [r for r in resources if (r.group, r.version) == (group, version)]
            paths.update(_paths(version_operations(group, version, own), schemas, version=2))
    return {
        "swagger": "2.0",
        "info": INFO,
        "paths": paths,
        "definitions": schemas.rendered(),
        "securityDefinitions": {"BearerToken": BEARER},
        "security": [{"BearerToken": []}],
    }


def _paths(operations: Iterable[Operation], schemas: Schemas, version: int) -> Object:
    paths: Object = {}
    for operation in operations:
        item = paths.setdefault(operation.path, {})
        item[operation.method] = _operation(operation, schemas, version)
        if operation.path_parameters:
            item["parameters"] = [_parameter(p, operation.path, version) for p in operation.path_parameters]
    return paths


def _operation(operation: Operation, schemas: Schemas, version: int) -> Object:
    made: Object = {
        "tags": [operation.tag],
        "description": operation.description,
        "operationId": operation.id,
    }
    parameters = [_parameter(p, "", version) for p in operation.parameters]
    answer = schemas.reference(operation.answer) if operation.answer is not None else {"type": "string"}
    produced = _produced(operation)
    if operation.body is not None:
        body = schemas.reference(operation.body)
        taken = list(operation.consumes or _whole_objects(operation))
        needed = operation.method != "delete"
        if version == 2:
            made["consumes"] = taken if operation.consumes else ["*/*"]
            parameters.insert(0, {"name": "body", "in": "body", "required": needed, "schema": body})
        else:
            made["requestBody"] = {"content": {kind: {"schema": body} for kind in taken}, "required": needed}
    if version == 2:
        made["produces"] = produced
        made["schemes"] = ["https"]
        ok: Object = {"description": "OK", "schema": answer}
    else:
        ok = {"description": "OK", "content": {kind: {"schema": answer} for kind in produced}}
    if parameters:
        made["parameters"] = parameters
    made["responses"] = {
        **{str(code): {**ok, "description": HTTPStatus(code).phrase} for code in operation.codes},
        "401": {"description": "Unauthorized"},
    }
    if operation.action:
        group, api_version, kind = operation.kind
        made["x-kubernetes-action"] = operation.action
        made[GVK] = {"group": group, "version": api_version, "kind": kind}
    return made


def _whole_objects(operation: Operation) -> list[str]:
    """The content types whole objects travel in."""
    return [*JSON_AND_YAML, *(() if operation.is_custom else (PROTOBUF,))]


def _produced(operation: Operation) -> list[str]:
    if operation.produces:
        return list(operation.produces)
    produced = _whole_objects(operation)
    if operation.streams:
        produced += [STREAM, *(() if operation.is_custom else (PROTOBUF_STREAM,))]
    return produced


def _parameter(parameter: Parameter, path: str, version: int) -> Object:
    in_path = f"{{{parameter.name}}}" in path
    made: Object = {
        "name": parameter.name,
        "in": "path" if in_path else "query",
        "description": parameter.description,
    }
    if in_path:
        made["required"] = True
    if version == 2:
        made.update({"type": parameter.type, "uniqueItems": True})
    else:
        made["schema"] = {"type": parameter.type, "uniqueItems": True}
    return made
