"""Read, change, swap, and again if somebody was faster: `rewrite`, the one loop of its kind.

It is upstream's GuaranteedUpdate (apiserver's storage.Interface): each attempt decides on one stored version
and writes with a compare-and-swap on it, by `swap` or `remove`; one that was overtaken begins again with
what stands there now, which the lost swap brings along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from wherry.apiserver import encoding
from wherry.apiserver.allocation.reservations import NOTHING, Reservation
from wherry.apiserver.allocation.services import AddressTaken
from wherry.apiserver.cached import Cached
from wherry.apiserver.parts import Parts
from wherry.apiserver.registry import Served
from wherry.kit.tasks import to_the_end
from wherry.objects.errors import ApiError, conflict, not_found
from wherry.objects.meta import Object, is_deleting
from wherry.store.base import KeyMissing, RevisionMismatch
from wherry.store.writes import Write

T = TypeVar("T")

ATTEMPTS = 32


class Overtaken(Exception):
    """The object was written between reading and writing; `current` is what stands there now.

    None where that is not known without asking somebody else.
    """

    def __init__(self, current: Cached | None) -> None:
        super().__init__("the object was written meanwhile")
        self.current = current


async def rewrite(
    served: Served,
    namespace: str,
    name: str,
    attempt: Callable[[Cached], Awaitable[T]],
    *,
    attempts: int = ATTEMPTS,
    exhausted: ApiError | None = None,
) -> T:
    """What `attempt` makes of the stored object, once nobody overtakes it.

    Raises ApiError: 404 when there is none (any more), `exhausted` (409 if None) after so many attempts, each
    of which somebody else's write has ended; and whatever `attempt` raises but `Overtaken`.
    """
    resource = served.resource
    cached = served.get(namespace, name)
    for _ in range(attempts):
        if cached is None:
            raise served.absent(namespace, name)
        try:
            return await attempt(cached)
        except Overtaken as error:
            cached = error.current
        if cached is None:
            await served.source.open()  # what overtook may still be on its way here
            cached = served.get(namespace, name)
    raise exhausted or conflict(resource.plural, resource.group, name)


async def swap(
    parts: Parts,
    served: Served,
    cached: Cached,
    new: Object,
    reservation: Reservation = NOTHING,
    *,
    is_mark: bool = False,
) -> None:
    """Write `new` where `cached` stands; sets its resourceVersion. Raises Overtaken, ApiError.

    A client that named the version its write is based on gets its conflict when that is decided anew. The
    addresses of `reservation` are written along; so it is, too, when one of them was given to somebody else.
    `is_mark` tells that `new` has nothing but a mark more: that fits always (`Store.update`).
    """
    resource = served.resource
    data = encoding.encode_stored(served.to_storage(new))
    try:
        with parts.storing("update", resource):
            if reservation.has_addresses:
                write = Write(
                    cached.key, data, cached.revision, is_reserved=is_deleting(new), is_mark=is_mark
                )
                entry = await parts.services.store(write, new, reservation)
            else:
                entry = await served.store.update(
                    cached.key,
                    data,
                    expected=cached.revision,
                    ttl_s=resource.ttl_s,
                    is_reserved=is_deleting(new),
                    is_mark=is_mark,
                )
    except AddressTaken as error:
        raise Overtaken(served.source.cacher.get(cached.key)) from error
    except RevisionMismatch as error:
        raise Overtaken(served.source.current(error.current)) from error
    except KeyMissing as error:
        raise not_found(resource.plural, resource.group, cached.name) from error
    new["metadata"]["resourceVersion"] = str(entry.revision)


async def remove(parts: Parts, served: Served, cached: Cached) -> int:
    """Delete `cached`; the revision of the deletion. Raises Overtaken, ApiError (404, 503)."""
    if not parts.services.concerns(served.resource):
        return await _remove(parts, served, cached, NOTHING)
    reservation = parts.services.leave(served.resource, served.decode(cached))
    return await to_the_end(_remove(parts, served, cached, reservation))


async def _remove(parts: Parts, served: Served, cached: Cached, reservation: Reservation) -> int:
    resource = served.resource
    try:
        with parts.storing("delete", resource):
            if reservation.has_addresses:
                write = Write(cached.key, None, cached.revision)
                entry = await parts.services.store(write, cached.decode(), reservation)
            else:
                entry = await served.store.delete(cached.key, expected=cached.revision)
    except RevisionMismatch as error:
        raise Overtaken(served.source.current(error.current)) from error
    except KeyMissing as error:
        raise not_found(resource.plural, resource.group, cached.name) from error
    reservation.commit()
    return entry.revision
