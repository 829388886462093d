"""Discovery: what is served, told in the old form (a document per group and version) and the new one.

Everything is rendered from `Resource`s. `Discovery` renders when first asked and keeps the bytes; when
the served resources change (a custom resource came or went), make a new one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

import orjson

from wherry.api.priorities import group_priority
from wherry.api.resource import Resource, Subresource
from wherry.apiserver.media_types import JSON, parse_accept
from wherry.kit.httpd.message import Response
from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
AGGREGATED_VERSIONS = ("v2", "v2beta1")

_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?", re.ASCII)
_MATURITY = {None: 2, "beta": 1, "alpha": 0}


def version_priority(version: str) -> tuple[int, int, int, int]:
    """A sort key by which better versions come first: v2, v1, v1beta2, v1alpha1, anything else."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (1, 0, 0, 0)
    major, minor = parse_integer(match[1]), parse_integer(match[3] or "0")
    if major is None or minor is None:
        return (1, 0, 0, 0)
    return (0, -_MATURITY[match[2]], -major, -minor)


def groups_of(resources: Sequence[Resource]) -> dict[str, list[str]]:
    """The versions of each group, best first; groups by their priority, those of one priority by name."""
    groups: dict[str, list[str]] = {}
    for resource in sorted(resources, key=lambda r: (-group_priority(r.group), r.group)):
        versions = groups.setdefault(resource.group, [])
        if resource.version not in versions:
            versions.append(resource.version)
    for versions in groups.values():
        versions.sort(key=lambda version: (version_priority(version), version))
    return groups


def _of_version(resources: Sequence[Resource], group: str, version: str) -> list[Resource]:
    found = [r for r in resources if r.group == group and r.version == version]
    return sorted(found, key=lambda resource: resource.plural)


def response_kind(resource: Resource, subresource: Subresource) -> tuple[str, str, str]:
    """(group, version, kind) a subresource speaks: its own, or the parent's."""
    if not subresource.kind:
        return resource.group, resource.version, resource.kind
    if subresource.version or subresource.group:
        return subresource.group, subresource.version or resource.version, subresource.kind
    return resource.group, resource.version, subresource.kind


def storage_version_hash(resource: Resource) -> str:
    """Text that changes with the version a kind is stored in, as storage migrators want to know."""
    group, version = resource.storage_version or (resource.group, resource.version)
    digest = hashlib.sha256(f"{group}/{version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def api_versions(server_address: str) -> Object:
    """`/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group(group: str, versions: Sequence[str]) -> Object:
    """One group as `/apis` lists it."""
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def api_resource_list(resources: Sequence[Resource], group: str, version: str) -> Object:
    """`/api/v1` or `/apis/<group>/<version>`."""
    listed: list[Object] = []
    for resource in _of_version(resources, group, version):
        listed.append(_api_resource(resource))
        listed += [_api_subresource(resource, sub) for sub in resource.subresources]
    document: Object = {"kind": "APIResourceList"}
    if group:
        document["apiVersion"] = "v1"
    document["groupVersion"] = f"{group}/{version}" if group else version
    document["resources"] = sorted(listed, key=lambda entry: entry["name"].partition("/")[::2])
    return document


def _api_resource(resource: Resource) -> Object:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "list" in resource.verbs and "create" in resource.verbs:
        entry["storageVersionHash"] = storage_version_hash(resource)
    return entry


def _api_subresource(resource: Resource, subresource: Subresource) -> Object:
    group, version, kind = response_kind(resource, subresource)
    entry: Object = {
        "name": f"{resource.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if (group, version) != (resource.group, resource.version):
        entry.update({"group": group, "version": version})
    entry.update({"kind": kind, "verbs": sorted(subresource.verbs)})
    return entry


def aggregated_group(resources: Sequence[Resource], group: str, versions: Sequence[str]) -> Object:
    """One APIGroupDiscovery."""
    listed = [
        {
            "version": version,
            "resources": [_discovered(resource) for resource in _of_version(resources, group, version)],
            "freshness": "Current",
        }
        for version in versions
    ]
    return {"metadata": {"name": group} if group else {}, "versions": listed}


def _discovered(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        subresources = []
        for subresource in sorted(resource.subresources, key=lambda sub: sub.name):
            group, version, kind = response_kind(resource, subresource)
            subresources.append(
                {
                    "subresource": subresource.name,
                    "responseKind": {"group": group, "version": version, "kind": kind},
                    "verbs": sorted(subresource.verbs),
                }
            )
        entry["subresources"] = subresources
    return entry


def aggregated_list(items: Sequence[Object], version: str) -> Object:
    """The APIGroupDiscoveryList of some groups."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": list(items),
    }


class Discovery:
    """Answers discovery requests for one set of resources.

    `server_address` (host:port) is told to clients; `foreign` are APIGroupDiscovery items of groups
    that are served elsewhere and only listed here, `priorities` their places among the groups.
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        server_address: str,
        foreign: Sequence[Object] = (),
        priorities: Mapping[str, int] | None = None,
    ) -> None:
        self._resources = tuple(resources)
        self._groups = groups_of(self._resources)
        self._address = server_address
        self._foreign: dict[str, list[Object]] = {
            item["metadata"]["name"]: item["versions"] for item in foreign
        }
        self._priorities = dict(priorities or {})
        self._rendered: dict[tuple[str, str], Response] = {}

    def answer(self, path: str, accept: str = "", if_none_match: str = "") -> Response | None:
        """The document at `path` (304 if the client has it), None when `path` is no discovery path."""
        path = path.rstrip("/")
        form = _aggregated_version(accept) if path in ("/api", "/apis") else ""
        response = self._rendered.get((path, form))
        if response is None:
            document = self._render(path, form)
            if document is None:
                return None
            response = _response(document, AGGREGATED.format(version=form) if form else JSON)
            self._rendered[(path, form)] = response
        tag = next(value for name, value in response.headers if name == "ETag")
        if if_none_match and tag in if_none_match:
            # Clients' caches take the type over from here: it must be that of the kept document.
            return Response(status=304, content_type=response.content_type, headers=response.headers)
        return response

    def _render(self, path: str, form: str) -> Object | None:
        root, _, rest = path.lstrip("/").partition("/")
        render: Callable[[str, str], Object | None] | None = {"api": self._core, "apis": self._named}.get(
            root
        )
        return render(rest, form) if render is not None else None

    def _core(self, rest: str, form: str) -> Object | None:
        versions = self._groups.get("", [])
        if not rest:
            if form:
                items = [aggregated_group(self._resources, "", versions)] if versions else []
                return aggregated_list(items, form)
            return api_versions(self._address)
        return api_resource_list(self._resources, "", rest) if rest in versions else None

    def _named(self, rest: str, form: str) -> Object | None:
        if not rest:
            return self._aggregated(form) if form else self._group_list()
        group, _, version = rest.partition("/")
        if not group or (group not in self._groups and group not in self._foreign):
            return None
        if not version:
            return {"kind": "APIGroup", "apiVersion": "v1", **api_group(group, self._versions_of(group))}
        versions = self._groups.get(group) or ()
        return api_resource_list(self._resources, group, version) if version in versions else None

    def _versions_of(self, group: str) -> list[str]:
        """Every version of a group, those served here first."""
        here = self._groups.get(group) or []
        return [*here, *(version["version"] for version in self._foreign.get(group) or ())]

    def _named_groups(self) -> list[str]:
        """The groups but core's, best first."""
        names = {*self._groups, *self._foreign} - {""}
        return sorted(names, key=lambda name: (-self._priority(name), name))

    def _priority(self, group: str) -> int:
        here = group_priority(group) if group in self._groups else 0
        return max(here, self._priorities.get(group, 0))

    def _aggregated(self, form: str) -> Object:
        items: list[Object] = []
        for group in self._named_groups():
            item = aggregated_group(self._resources, group, self._groups.get(group) or ())
            item["versions"] += self._foreign.get(group) or []
            items.append(item)
        return aggregated_list(items, form)

    def _group_list(self) -> Object:
        groups = [api_group(group, self._versions_of(group)) for group in self._named_groups()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _aggregated_version(accept: str) -> str:
    """The version of the aggregated form the client prefers to the plain one, "" if it does not."""
    for entry in parse_accept(accept):
        if not entry.accepts(JSON):
            continue
        if not entry.parameters.get("as"):
            return ""
        version = entry.parameters.get("v", "")
        if (
            entry.parameters["as"] == "APIGroupDiscoveryList"
            and entry.parameters.get("g") == "apidiscovery.k8s.io"
            and version in AGGREGATED_VERSIONS
        ):
            return version
    return ""


def _response(document: Object, content_type: str) -> Response:
    body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    tag = hashlib.sha256(body).hexdigest().upper()
    return Response(body, content_type=content_type, headers=(("ETag", f'"{tag}"'), ("Vary", "Accept")))
