"""Every operation the API offers, in a neutral form both OpenAPI versions are rendered from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from wherry.api.resource import Resource, Subresource
from wherry.apiserver.discovery import response_kind
from wherry.apiserver.openapi.parameters import (
    CONNECT,
    DELETE,
    FORCE,
    LOG,
    NAMESPACE,
    PRETTY,
    PROXY_PATH,
    SELECT,
    WATCH,
    WRITE,
    Parameter,
)
from wherry.apiserver.verbs.delete import returns_deleted

PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
# kubectl looks here to learn which patch `apply` may send.
CUSTOM_PATCHES = tuple(patch for patch in PATCHES if "strategic" not in patch)


Kind = tuple[str, str, str]
"""(group, version, kind)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    `action` is upstream's x-kubernetes-action; `body` and `answer` are (group, version, kind), "meta"
    as group meaning metav1; `kind` is the (group, version, kind) the operation is about. `produces` are
    the content types of the answer where they are not those of every object; `codes` those of success.
    """

    path: str
    method: str
    id: str
    action: str
    kind: Kind
    tag: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    path_parameters: tuple[Parameter, ...] = ()
    body: Kind | None = None
    answer: Kind | None = None
    consumes: tuple[str, ...] = ()
    streams: bool = False
    produces: tuple[str, ...] = ()
    codes: tuple[int, ...] = (200,)
    is_custom: bool = False


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in text.replace("-", ".").split("."))


def _group_name(group: str) -> str:
    """`RbacAuthorization` for rbac.authorization.k8s.io, `Core` for the core group."""
    return _camel(group.removesuffix(".k8s.io")) if group else "Core"


META_STATUS = ("meta", "v1", "Status")
META_DELETE = ("meta", "v1", "DeleteOptions")
META_PATCH = ("meta", "v1", "Patch")
META_RESOURCES = ("meta", "v1", "APIResourceList")
VERSION_INFO = ("version", "", "Info")
ANYTHING = ("*/*",)
LOG_TYPES = ("text/plain",)


def root_operations(groups: Sequence[str]) -> Iterator[Operation]:
    """What is served beside the resources: the versions and groups there are, who made this, token keys."""
    yield _plain("/api/", "getCoreAPIVersions", "core", ("meta", "v1", "APIVersions"))
    yield _plain("/apis/", "getAPIVersions", "apis", ("meta", "v1", "APIGroupList"))
    for group in groups:
        if group:
            title = _group_name(group)
            tag = title[:1].lower() + title[1:]
            yield _plain(f"/apis/{group}/", f"get{title}APIGroup", tag, ("meta", "v1", "APIGroup"))
    yield _plain("/version/", "getCodeVersion", "version", VERSION_INFO)
    name = "getServiceAccountIssuerOpenID"
    yield _plain("/.well-known/openid-configuration", f"{name}Configuration", "WellKnown", None)
    yield _plain("/openid/v1/jwks", f"{name}Keyset", "openid", None, ("application/jwk-set+json",))


def _plain(
    path: str, name: str, tag: str, answer: Kind | None, produces: tuple[str, ...] = ("application/json",)
) -> Operation:
    return Operation(
        path=path,
        method="get",
        id=name,
        action="",
        kind=("", "", ""),
        tag=tag,
        description="what this server is and serves",
        answer=answer,
        produces=produces,
    )


def version_operations(group: str, version: str, resources: Sequence[Resource]) -> Iterator[Operation]:
    """All operations below one group version."""
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    title = _group_name(group) + _camel(version)
    tag = _group_name(group)[:1].lower() + _group_name(group)[1:] + f"_{version}"
    yield _plain(f"{root}/", f"get{title}APIResources", tag, META_RESOURCES)
    for resource in resources:
        yield from _Writer(resource, title, tag).operations()


class _Place(NamedTuple):
    """A path, its parameters, and the (group, version, kind) found there."""

    path: str
    parameters: tuple[Parameter, ...]
    kind: Kind


class _Writer:
    """The operations of one resource."""

    def __init__(self, resource: Resource, title: str, tag: str) -> None:
        self._resource = resource
        self._title = title
        self._tag = tag
        self._patches = PATCHES if resource.schema else CUSTOM_PATCHES
        self._end = ("Namespaced" if resource.namespaced else "") + resource.kind
        self._kind = (resource.group, resource.version, resource.kind)
        self._list = (resource.group, resource.version, resource.list_kind)
        shared = (*((NAMESPACE,) if resource.namespaced else ()), *PRETTY)
        named = (Parameter("name", "string", f"The name of the {resource.kind}."), *shared)
        self._everywhere = _Place(resource.path(), PRETTY, self._kind)
        self._collection = _Place(resource.path("{namespace}"), shared, self._kind)
        self._item = _Place(resource.path("{namespace}", "{name}"), named, self._kind)

    def operations(self) -> Iterator[Operation]:
        verbs, place, title = set(self._resource.verbs), self._collection, self._title
        if "list" in verbs:
            yield self._make(place, "list", "get", f"list{title}{self._end}", answer=self._list)
            if self._resource.namespaced:
                name = f"list{title}{self._resource.kind}ForAllNamespaces"
                yield self._make(self._everywhere, "list", "get", name, answer=self._list)
        if "create" in verbs:
            name = f"create{title}{self._end}"
            yield self._make(place, "post", "post", name, body=self._kind, answer=self._kind)
        if "deletecollection" in verbs:
            name = f"delete{title}Collection{self._end}"
            yield self._make(place, "deletecollection", "delete", name, body=META_DELETE, answer=META_STATUS)
        yield from self._item_operations(verbs)
        for subresource in self._resource.subresources:
            yield from self._subresource_operations(subresource)

    def _item_operations(self, verbs: set[str]) -> Iterator[Operation]:
        place, end, kind = self._item, f"{self._title}{self._end}", self._kind
        if "get" in verbs:
            yield self._make(place, "get", "get", f"read{end}", answer=kind)
        if "update" in verbs:
            yield self._make(place, "put", "put", f"replace{end}", body=kind, answer=kind)
        if "patch" in verbs:
            yield self._make(place, "patch", "patch", f"patch{end}", body=META_PATCH, answer=kind)
        if "delete" in verbs:
            answer = kind if returns_deleted(self._resource) else META_STATUS
            yield self._make(place, "delete", "delete", f"delete{end}", body=META_DELETE, answer=answer)

    def _subresource_operations(self, subresource: Subresource) -> Iterator[Operation]:
        kind = response_kind(self._resource, subresource)
        place = _Place(f"{self._item.path}/{subresource.name}", self._item.parameters, kind)
        end = f"{self._end}{_camel(subresource.name)}"
        if kind[2].endswith("Options"):
            yield from self._connections(subresource, place, end)
            return
        for verb in subresource.verbs:
            method, word, body = _SUBRESOURCE_VERBS[verb]
            taken = kind if body == _OWN else body
            made = self._make(place, method, method, f"{word}{self._title}{end}", body=taken, answer=kind)
            if subresource.name == "log":
                made = replace(made, parameters=LOG, produces=LOG_TYPES, answer=None)
            yield made

    def _connections(self, subresource: Subresource, place: _Place, end: str) -> Iterator[Operation]:
        """What does not answer with an object: streams and proxies."""
        named = tuple(p for p in place.parameters if p not in PRETTY)
        is_proxy = subresource.name == "proxy"
        places = [(place._replace(parameters=named), "")]
        if is_proxy:
            below = _Place(f"{place.path}/{{path}}", (*named, PROXY_PATH), place.kind)
            places.append((below, "WithPath"))
        for where, suffix in places:
            methods = [_SUBRESOURCE_VERBS[verb][0] for verb in subresource.verbs]
            for method in (*methods, *(("head",) if is_proxy else ())):
                name = f"connect{self._title}{method.title()}{end}{suffix}"
                made = self._make(where, "connect", method, name)
                yield replace(made, parameters=CONNECT[place.kind[2]], produces=ANYTHING)

    def _make(
        self,
        place: _Place,
        action: str,
        method: str,
        name: str,
        body: Kind | None = None,
        answer: Kind | None = None,
    ) -> Operation:
        return Operation(
            path=place.path,
            method=method,
            id=name,
            action=action,
            kind=place.kind,
            tag=self._tag,
            description=f"{_WORDS[action]} {place.kind[2]}",
            parameters=_QUERY.get(action, ()),
            path_parameters=place.parameters,
            body=body,
            answer=answer,
            consumes=self._patches if action == "patch" else (),
            streams=action == "list" and "watch" in self._resource.verbs,
            codes=_CODES.get(action, (200,)),
            is_custom=not self._resource.schema,
        )


_OWN: Kind = ("", "", "")
_SUBRESOURCE_VERBS: Mapping[str, tuple[str, str, Kind | None]] = {
    "get": ("get", "read", None),
    "create": ("post", "create", _OWN),
    "update": ("put", "replace", _OWN),
    "patch": ("patch", "patch", META_PATCH),
    "delete": ("delete", "delete", META_DELETE),
}
"""The method of a verb, the word in its operation id, and what body it takes."""

_CODES: Mapping[str, tuple[int, ...]] = {
    "post": (200, 201, 202),
    "put": (200, 201),
    "patch": (200, 201),
    "delete": (200, 202),
}
_QUERY: Mapping[str, tuple[Parameter, ...]] = {
    "list": (*SELECT, *WATCH),
    "post": WRITE,
    "put": WRITE,
    "patch": (*WRITE, *FORCE),
    "delete": DELETE,
    "deletecollection": (*SELECT, *DELETE),
}
_WORDS = {
    "list": "list or watch objects of kind",
    "post": "create a",
    "put": "replace the specified",
    "patch": "change parts of the specified",
    "delete": "delete a",
    "deletecollection": "delete a collection of",
    "get": "read the specified",
    "connect": "connect requests to",
}
