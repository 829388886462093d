"""Answering `/openapi/v2` and `/openapi/v3`, each document rendered at first use and kept as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from wherry import KUBERNETES_VERSION, __version__
from wherry.api.resource import Resource
from wherry.apiserver.discovery import groups_of
from wherry.apiserver.media_types import JSON, parse_accept
from wherry.apiserver.openapi.documents import (
    root_document,
    root_paths,
    version_document,
    whole_document,
)
from wherry.apiserver.openapi.protobuf import MEDIA_TYPES, PROTOBUF, encode_document
from wherry.apiserver.openapi.schemas import CustomSchema
from wherry.kit.httpd.message import Response

FOREVER = "public, max-age=31536000, immutable"


class Body(NamedTuple):
    """A document's bytes and their ETag; hashing three megabytes takes longer than sending them."""

    data: bytes
    tag: str


class OpenAPI:
    """Answers OpenAPI requests for one set of resources.

    `custom` gives the schema (`openAPIV3Schema`) of a resource whose `Resource.schema` is empty;
    `foreign` are paths (`apis/<group>/<version>`) whose documents other servers have.
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        custom: CustomSchema | None = None,
        foreign: Sequence[str] = (),
    ) -> None:
        self._foreign = tuple(foreign)
        self._resources = tuple(resources)
        self._custom = custom
        self._versions = {
            (f"apis/{group}/{version}" if group else f"api/{version}"): (group, version)
            for group, versions in groups_of(self._resources).items()
            for version in versions
        }
        self._roots = dict.fromkeys(root_paths(self._resources))
        self._bodies: dict[str, Body] = {}

    def answer(
        self, path: str, accept: str = "", query: str = "", if_none_match: str = ""
    ) -> Response | None:
        """The document at `path` (304 if the client has it), None when `path` is none of ours.

        `query` is the raw query; a `hash` in it lets the client keep the document for good.
        """
        path = path.strip("/")
        if path == "openapi/v2":
            return self._whole(accept, if_none_match)
        if path == "openapi/v3":
            return _answer(self._body(path), JSON, if_none_match)
        name = path.removeprefix("openapi/v3/")
        if name == path or (name not in self._versions and name not in self._roots):
            return None
        headers = (("Cache-Control", FOREVER),) if "hash=" in query else ()
        return _answer(self._body(path), JSON, if_none_match, headers)

    def is_made(self, path: str, accept: str = "") -> bool:
        """Whether there is nothing left to render for an answer; it takes up to a second."""
        path = path.strip("/")
        return (f"openapi/v2:{_kind_of(accept)}" if path == "openapi/v2" else path) in self._bodies

    def _whole(self, accept: str, if_none_match: str) -> Response:
        kind = _kind_of(accept)
        media_type = JSON if kind == "json" else PROTOBUF
        return _answer(self._body(f"openapi/v2:{kind}"), media_type, if_none_match, (("Vary", "Accept"),))

    def _body(self, which: str) -> Body:
        body = self._bodies.get(which)
        if body is None:
            data = self._render(which)
            body = self._bodies[which] = Body(data, f'"{hashlib.sha256(data).hexdigest().upper()}"')
        return body

    def _render(self, which: str) -> bytes:
        if which == "openapi/v3":
            paths = {name: self._location(name) for name in sorted((*self._roots, *self._versions))}
            paths |= {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in self._foreign}
            return orjson.dumps({"paths": paths})
        if which == "openapi/v2:json":
            return orjson.dumps(whole_document(self._resources, self._custom))
        if which == "openapi/v2:protobuf":
            return encode_document(whole_document(self._resources, self._custom))
        name = which.removeprefix("openapi/v3/")
        if name in self._roots:
            return orjson.dumps(root_document(name, self._resources))
        group, version = self._versions[name]
        return orjson.dumps(version_document(group, version, self._resources, self._custom))

    def _location(self, name: str) -> dict[str, str]:
        return {"serverRelativeURL": f"/openapi/v3/{name}?hash={self._fingerprint(name)}"}

    def _fingerprint(self, name: str) -> str:
        """Text that changes when the document does, without rendering it."""
        facts: list[object] = [KUBERNETES_VERSION, __version__]
        if name in self._roots:
            return hashlib.sha256(orjson.dumps([*facts, name])).hexdigest().upper()
        group, version = self._versions[name]
        for resource in self._resources:
            if (resource.group, resource.version) != (group, version):
                continue
            custom = self._custom(resource) if self._custom is not None and not resource.schema else None
            subresources = [[sub.name, *sub.verbs, sub.kind] for sub in resource.subresources]
            facts.append(
                [
                    resource.plural,
                    resource.kind,
                    resource.schema,
                    *resource.verbs,
                    subresources,
                    custom,
                    list(resource.selectable),
                ]
            )
        return hashlib.sha256(orjson.dumps(facts)).hexdigest().upper()


def _kind_of(accept: str) -> str:
    """Which of its two forms a client wants the document of version 2 in."""
    wanted = next(
        (
            offered
            for entry in parse_accept(accept)
            for offered in (JSON, *MEDIA_TYPES)
            if entry.accepts(offered)
        ),
        JSON,
    )
    return "json" if wanted == JSON else "protobuf"


def _answer(
    body: Body, media_type: str, if_none_match: str, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    headers = (("ETag", body.tag), *headers)
    if if_none_match and body.tag in if_none_match:
        return Response(status=304, content_type=media_type, headers=headers)
    return Response(body.data, content_type=media_type, headers=headers)
