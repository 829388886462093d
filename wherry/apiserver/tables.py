"""Other forms an object may be asked for in: Tables (what kubectl prints) and bare metadata.

The client says so in its Accept header, for example
`application/json;as=Table;v=v1;g=meta.k8s.io,application/json`. Everything here is pure: objects in,
objects out, shared and never changed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from wherry.api.resource import Resource
from wherry.apiserver.media_types import JSON, PROTOBUF, parse_accept
from wherry.apiserver.options import META_GROUP
from wherry.kit.remembered import remembered
from wherry.objects.errors import bad_request, not_acceptable
from wherry.objects.meta import Object, metadata, revision_of

TABLE, PARTIAL, PARTIAL_LIST = "Table", "PartialObjectMetadata", "PartialObjectMetadataList"
OFFERED = (JSON, "application/yaml")
OFFERED_BUILT_IN = (*OFFERED, PROTOBUF)


class Form(NamedTuple):
    """What the client wants: `kind` "" for the object itself, else one of the kinds above.

    `version` is the version of meta.k8s.io the form is in; `media_type` what the bytes are to be.
    """

    kind: str = ""
    version: str = "v1"
    media_type: str = JSON

    @property
    def api_version(self) -> str:
        """The apiVersion of the form's objects."""
        return f"{META_GROUP}/{self.version}"


AS_IS = Form()


@remembered(256)
def negotiate(accept: str, has_protobuf: bool = False, has_table: bool = True) -> Form:
    """The best form the client accepts and the server has. Raises ApiError (406) when there is none.

    `has_protobuf` tells whether the objects themselves can be had in protobuf (bare metadata always can), and
    `has_table` whether there are columns for them: not for reviews and the like.
    """
    for entry in parse_accept(accept):
        media_type = next((offered for offered in OFFERED_BUILT_IN if entry.accepts(offered)), None)
        if media_type is None:
            continue
        kind = entry.parameters.get("as", "")
        if not kind:
            if entry.parameters.get("g") or entry.parameters.get("v"):
                continue
            if media_type == PROTOBUF and not has_protobuf:
                continue
            return Form(media_type=media_type)
        version = entry.parameters.get("v", "")
        if (
            kind in (TABLE, PARTIAL, PARTIAL_LIST)
            and entry.parameters.get("g") == META_GROUP
            and version in ("v1", "v1beta1")
            and not (kind == TABLE and (media_type == PROTOBUF or not has_table))
        ):
            return Form(kind, version, media_type)
    raise not_acceptable(OFFERED_BUILT_IN if has_protobuf else OFFERED)


def include_object(query: Mapping[str, str]) -> str:
    """The `includeObject` parameter of a Table request. Raises ApiError (400) for an unknown one."""
    policy = query.get("includeObject") or "Metadata"
    if policy not in ("None", "Metadata", "Object"):
        raise bad_request(f'unrecognized includeObject value: "{policy}"')
    return policy


def column_definitions(resource: Resource) -> list[Object]:
    """The resource's columns as metav1.TableColumnDefinitions; shared, not to be changed."""
    # Of custom kinds there may be ever other ones, with columns as long as their definition.
    return _built_in_columns(resource) if resource.custom is None else _columns(resource)


@lru_cache(512)
def _built_in_columns(resource: Resource) -> list[Object]:
    return _columns(resource)


def _columns(resource: Resource) -> list[Object]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in resource.columns
    ]


def partial_metadata(obj: Object, form: Form = AS_IS) -> Object:
    """The object reduced to its metadata."""
    return {"kind": PARTIAL, "apiVersion": form.api_version, "metadata": metadata(obj)}


def partial_metadata_list(objects: Sequence[Object], list_meta: Object, form: Form = AS_IS) -> Object:
    """A list of objects reduced to their metadata."""
    return {
        "kind": PARTIAL_LIST,
        "apiVersion": form.api_version,
        "metadata": list_meta,
        "items": [partial_metadata(obj, form) for obj in objects],
    }


def row(resource: Resource, obj: Object, policy: str, now: datetime, form: Form = AS_IS) -> Object:
    """One row: the cells, and as much of the object as `policy` (None, Metadata, Object) says."""
    made: Object = {"cells": resource.strategy.cells(obj, now)}
    if policy == "Object":
        made["object"] = obj
    elif policy == "Metadata":
        made["object"] = partial_metadata(obj, form)
    return made


def table(
    resource: Resource,
    objects: Sequence[Object],
    list_meta: Object,
    policy: str,
    now: datetime,
    form: Form = AS_IS,
    columns: bool = True,
) -> Object:
    """The Table of some objects; `columns` tells whether to say what the cells mean."""
    return {
        "kind": TABLE,
        "apiVersion": form.api_version,
        "metadata": list_meta,
        "columnDefinitions": column_definitions(resource) if columns else None,
        "rows": [row(resource, obj, policy, now, form) for obj in objects],
    }


def transform_object(
    resource: Resource, obj: Object, form: Form, query: Mapping[str, str], now: datetime
) -> Object:
    """A single object in the form asked for. Raises ApiError (400, 406)."""
    if form.kind == TABLE:
        return table(resource, [obj], {"resourceVersion": revision_of(obj)}, include_object(query), now, form)
    if form.kind == PARTIAL:
        return partial_metadata(obj, form)
    if form.kind == PARTIAL_LIST:
        raise not_acceptable(OFFERED)
    return obj


def transform_list(
    resource: Resource,
    objects: Sequence[Object],
    list_meta: Object,
    form: Form,
    query: Mapping[str, str],
    now: datetime,
) -> Object:
    """A list in the form asked for (not for the plain form, which is joined bytes). Raises ApiError."""
    if form.kind == TABLE:
        return table(resource, objects, list_meta, include_object(query), now, form)
    return partial_metadata_list(objects, list_meta, form)


def row_factor(resource: Resource, form: Form) -> int:
    """How many times longer than others' a byte of such an object takes to be shown in that form."""
    return resource.strategy.row_factor if form.kind == TABLE else 1


class EventForm:
    """Turns the objects of one watch into the form its client wants.

    The column definitions stand in the first Table only. Raises ApiError (400) for a bad
    includeObject when made.
    """

    def __init__(self, resource: Resource, form: Form, query: Mapping[str, str]) -> None:
        self._resource = resource
        self._form = form
        self._policy = include_object(query) if form.kind == TABLE else ""
        self._columns = True

    def key_of(self, columns: bool) -> Hashable:
        """The same for all who make the same of an event, with or without the columns' definitions."""
        resource = self._resource
        return resource.api_version, resource.plural, self._form, self._policy, columns

    @property
    def factor(self) -> int:
        """How many times longer than others' a byte of these objects takes to be shown."""
        return row_factor(self._resource, self._form)

    @property
    def has_columns(self) -> bool:
        """Whether the next event is shown with the columns' definitions."""
        return self._columns

    def shown(self) -> None:
        """An event was sent, made by this form or one of the same key."""
        self._columns = False

    def transform(self, event_type: str, obj: Object, now: datetime) -> Object:
        """The event's object as it is sent; errors are sent as they are, bookmarks without rows."""
        made = self.shown_as(event_type, obj, now, self._columns)
        if event_type != "ERROR" and self._form.kind == TABLE:
            self._columns = False
        return made

    def shown_as(self, event_type: str, obj: Object, now: datetime, columns: bool) -> Object:
        """The same, whatever was sent before."""
        if event_type == "ERROR":
            return obj
        if self._form.kind != TABLE:
            return partial_metadata(obj, self._form) if self._form.kind else obj
        shown: Sequence[Object] = () if event_type == "BOOKMARK" else (obj,)
        meta: dict[str, Any] = {"resourceVersion": revision_of(obj)}
        if event_type == "BOOKMARK" and metadata(obj).get("annotations"):
            meta["annotations"] = metadata(obj)["annotations"]
        return table(self._resource, shown, meta, self._policy, now, self._form, columns=columns)
