"""What a request is about: `RequestInfo`, read off method, path and query as upstream does it.

The path is parsed once and remembered (clients ask for the same few thousand paths); method and
query only decide the verb, which is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from wherry.kit.remembered import remembered

NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
METHOD_VERBS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
PATHS_REMEMBERED = 16384


class Target(NamedTuple):
    """What a path points at. `tail` is the rest below the subresource, for proxies ("a/b")."""

    is_resource: bool
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    tail: str = ""
    is_watch_path: bool = False


class RequestInfo(NamedTuple):
    """What is asked for. For a path that is no resource, `verb` is the method in lower case.

    `of_node` is the node whose objects a list is limited to by its field selector, "" if it is not.
    """

    verb: str
    path: str
    is_resource: bool
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    tail: str = ""
    of_node: str = ""

    @property
    def full_resource(self) -> str:
        """`pods/log`, or `pods` without a subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


NO_RESOURCE = Target(False)


@remembered(PATHS_REMEMBERED)
def parse_path(path: str) -> Target:
    """What `path` (percent-decoded, without query) points at."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return NO_RESOURCE
    is_watch = rest[0] == "watch" and len(rest) > 1
    if is_watch:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource, name, subresource = (*rest, "", "", "")[:3]
    return Target(True, group, version, namespace, resource, name, subresource, "/".join(rest[3:]), is_watch)


def request_info(method: str, path: str, query: dict[str, str]) -> RequestInfo:
    """The request's verb and target; `query` decides between list and watch."""
    target = parse_path(path)
    if not target.is_resource:
        return RequestInfo(method.lower(), path, False)
    _, group, version, namespace, resource, name, subresource, tail, is_watch = target
    verb = METHOD_VERBS.get(method, method.lower())
    if is_watch:
        verb = "watch"
    elif not name:
        if verb == "get":
            verb = "watch" if is_set(query, "watch") else "list"
        elif verb == "delete":
            verb = "deletecollection"
    of_node = ""
    if not name and verb in ("list", "watch", "deletecollection"):
        selector = query.get("fieldSelector", "")
        name = single_value(selector, "metadata.name")
        of_node = single_value(selector, "spec.nodeName")
    return RequestInfo(
        verb, path, True, group, version, namespace, resource, name, subresource, tail, of_node
    )


def single_value(field_selector: str, field: str) -> str:
    """The one value a selector such as `metadata.name=x` lets `field` have, "" if it lets it be others."""
    if field not in field_selector:
        return ""
    for requirement in field_selector.split(","):
        left, _, right = requirement.partition("=")
        if left.strip() == field:
            return right.removeprefix("=").strip()
    return ""


def is_true(text: str) -> bool:
    """A boolean in a query: anything but "0" and "false" is true, as upstream reads it; "" too."""
    return text.lower() not in ("0", "false")


def is_set(query: Mapping[str, str], name: str) -> bool:
    """Whether a boolean parameter is there and true."""
    return name in query and is_true(query[name])


NO_QUERY: dict[str, str] = {}


def parse_query(text: str) -> dict[str, str]:
    """The query's parameters; of a repeated one the first counts."""
    if not text:
        return NO_QUERY
    found: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(key, value)
    return found
