"""LIST: one page of a collection, joined from cached bytes.

The first page shows the present. A continue token names the revision and the last key, so that
later pages show the same moment: from the cache, with what changed since undone as far as that is
remembered, from the store's history beyond, and not at all (410) once that was compacted away.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import orjson

from wherry.apiserver.cacher import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.list_forms import bare_list_in_protobuf, has_to_be_made, made_list
from wherry.apiserver.media_types import PROTOBUF
from wherry.apiserver.options import ListOptions, list_options
from wherry.apiserver.presentation import form_of
from wherry.apiserver.protobuf import list_in_protobuf
from wherry.apiserver.registry import Served
from wherry.apiserver.selection import Match, selected
from wherry.apiserver.verbs.get import check_reached
from wherry.objects.errors import ApiError, bad_request, expired, show_value
from wherry.objects.meta import Object
from wherry.store.base import Compacted, FutureRevision

TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - a format's name
TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - "
    "objects that were created, modified, or deleted between the time the first chunk was returned and "
    "now may show up in the list."
)


class Continuation(NamedTuple):
    """Where the next page begins: after `key` (below the resource's prefix), as of `revision`."""

    revision: int
    key: str


class Listed(NamedTuple):
    """One page. `remaining` counts what follows (1 for "some" under a selector)."""

    items: Sequence[Cached]
    revision: int
    remaining: int


async def list_(core: Core, call: Call, served: Served) -> Outcome:
    """A page of the collection as a List object. Raises ApiError (400, 410, 422, 504)."""
    options = list_options(call.query)
    listed, meta = await page(core, call, served, options)
    form = form_of(core, call)
    together = piece_bytes_for(core, call)
    if form.media_type == PROTOBUF:
        if form.kind:
            return await bare_list_in_protobuf(core, call, served, listed.items, meta, form, together)
        return await list_in_protobuf(core, call, served, listed.items, meta, together)
    if has_to_be_made(call, served, form):
        return made_list(core, call, served, listed.items, meta, form)
    return whole_or_pieces(served, listed, meta, together)


def piece_bytes_for(core: Core, call: Call) -> Callable[[], int]:
    """How large the next piece of a list is; longer lists are sent in pieces, as the client takes them.

    Mostly a page of 500 pods, as clients ask for, is one piece (`WaitingBudget.piece_bytes`).
    """
    connection = call.request.connection if call.request is not None else None
    identity = connection.identity if connection is not None else call.user.name
    return lambda: core.waiting.piece_bytes(identity)


async def page(core: Core, call: Call, served: Served, options: ListOptions) -> tuple[Listed, Object]:
    """One page and its ListMeta. Raises ApiError."""
    match = await selected(core, call, served.resource, options)
    listed = await _read(core, served, call.info.namespace, options, match)
    meta: Object = {"resourceVersion": str(listed.revision)}
    if listed.remaining and options.limit and listed.items:
        prefix = served.resource.prefix()
        meta["continue"] = encode_token(listed.revision, listed.items[-1].key[len(prefix) :])
        if match is None:
            meta["remainingItemCount"] = listed.remaining
    return listed, meta


async def _read(
    core: Core, served: Served, namespace: str, options: ListOptions, match: Match | None
) -> Listed:
    cacher = served.cacher
    limit = max(options.limit, 0)
    if match is not None:
        await cacher.read_facts(namespace, match)
    if options.continue_token:
        if options.resource_version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        token = decode_token(options.continue_token)
        start = served.resource.prefix() + token.key
        if token.revision > 0:
            return await _read_past(served, namespace, token.revision, start, limit, match)
        items, remaining, at = await cacher.chosen(namespace, start_after=start, limit=limit, match=match)
        return Listed(items, at, remaining)
    wanted = check_reached(core, options.resource_version)
    exact = options.resource_version_match == "Exact" or (
        limit and wanted and not options.resource_version_match
    )
    if exact and wanted != cacher.revision:
        return await _read_past(served, namespace, wanted, "", limit, match)
    items, remaining, at = await cacher.chosen(namespace, limit=limit, match=match)
    return Listed(items, at, remaining)


async def _read_past(
    served: Served, namespace: str, revision: int, start: str, limit: int, match: Match | None
) -> Listed:
    """A page as of an earlier revision."""
    try:
        items, remaining = await served.cacher.list_at(
            revision, namespace, start_after=start, limit=limit, match=match
        )
    except Compacted as error:
        if not start:
            raise expired("The resourceVersion for the provided list is too old.") from error
        raise _too_old(start[len(served.resource.prefix()) :]) from error
    except FutureRevision as error:
        raise _bad_token("it is from a later time than this server's") from error
    return Listed(items, revision, remaining)


def _too_old(key: str) -> ApiError:
    error = expired(TOO_OLD)
    status = error.status()
    error.status = lambda: {**status, "metadata": {"continue": encode_token(-1, key)}}  # type: ignore[method-assign]
    return error


def encode_token(revision: int, key: str) -> str:
    """A continue token in upstream's format."""
    document = {"v": TOKEN_VERSION, "rv": revision, "start": key + "\0"}
    return base64.urlsafe_b64encode(orjson.dumps(document)).rstrip(b"=").decode()


def decode_token(token: str) -> Continuation:
    """Read a continue token; a revision of -1 means an inconsistent rest is wanted. Raises ApiError."""
    try:
        document = orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True))
    except ValueError as error:
        raise _bad_token(f"continue key is not valid: {error}") from error
    if not isinstance(document, dict):
        raise _bad_token("continue key is not valid: not an object")
    version, revision, start = (document.get(field) for field in ("v", "rv", "start"))
    if version != TOKEN_VERSION:
        raise _bad_token(f"server does not recognize this encoded version {show_value(version)}")
    if not isinstance(revision, int) or isinstance(revision, bool) or revision == 0:
        raise _bad_token(
            f"continue key is not valid: incorrect encoded start resourceVersion (version {TOKEN_VERSION})"
        )
    if not isinstance(start, str) or not start:
        raise _bad_token(f"continue key is not valid: encoded start key empty (version {TOKEN_VERSION})")
    if {".", ".."} & set(start.removesuffix("\0").split("/")):
        raise _bad_token("continue key is not valid")
    return Continuation(revision, start.removesuffix("\0"))


def _bad_token(why: str) -> ApiError:
    return bad_request(f"invalid continue token: {why}")


def whole_or_pieces(served: Served, listed: Listed, meta: Object, piece_bytes: Callable[[], int]) -> Outcome:
    """The List object: whole when it is one piece, else in pieces."""
    rest = Pieces(served, listed, meta, piece_bytes)
    first = next(rest)
    return Outcome(data=first) if rest.is_over else Outcome(pieces=chain((first,), rest))


_DATA = attrgetter("data")


class Pieces(Iterator[bytes]):
    """A List object's JSON, joined from what the cache holds, in pieces made when they are asked for.

    There is at least one; each has some `piece_bytes()`, which is asked when it is made.
    """

    def __init__(self, served: Served, listed: Listed, meta: Object, piece_bytes: Callable[[], int]) -> None:
        head = orjson.dumps(
            {"kind": served.resource.list_kind, "apiVersion": served.resource.api_version, "metadata": meta}
        )
        # What stands before the items, and then between pieces, goes into the item behind it, so that
        # everything is copied only once.
        self._before = b'%b,"items":[' % head[:-1]
        self._data_of: Callable[[Cached], bytes] = served.data if served.converts else _DATA
        self._rest = iter(listed.items)
        self._left = len(listed.items)
        self._piece_bytes = piece_bytes
        self.is_over = False
        """Whether that was the last piece."""

    def __next__(self) -> bytes:
        """The next piece."""
        if self.is_over:
            raise StopIteration
        most, size, some, data_of = self._piece_bytes(), 0, list[bytes](), self._data_of
        for item in self._rest:
            data = data_of(item)
            some.append(data)
            size += len(data)
            if size >= most:
                break
        self._left -= len(some)
        self.is_over = not self._left
        if not some:
            return self._before + b"]}\n"
        some[0] = self._before + some[0]
        self._before = b","
        if self.is_over:
            some[-1] += b"]}\n"
        return b",".join(some)
