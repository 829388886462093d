"""Heartbeats of many nodes at once: leases that are renewed, statuses of nodes that say nothing new
(`Heartbeats`).

A write that sets nothing but the times of a heartbeat comes to the same each time: the stored bytes with that
time in them, and with the time of the writer's entry in managedFields. So an object is looked through once
(is it valid, are these fields the writer's alone), and from then on its heartbeats are those bytes with other
times, written in groups, as long as nobody else writes it. Whatever could make more of such a write (a
webhook, a policy, a planned fault, a finalizer, a field somebody else owns) leaves it to the way of every
write; readers and watchers see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from re import finditer

from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import UPDATE
from wherry.apiserver.core import Core
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.registry import Served
from wherry.apiserver.request import NO_QUERY, request_info
from wherry.apiserver.user import User
from wherry.objects.errors import ApiError, FieldError
from wherry.objects.managed_fields.fieldsets import FieldSet, difference
from wherry.objects.meta import (
    Object,
    format_micro_time,
    format_time,
    is_deleting,
    metadata,
    namespace_of,
    revision_of,
)
from wherry.store.base import Entry, KeyMissing, RevisionMismatch
from wherry.store.writes import Write


@dataclass(frozen=True, slots=True)
class Times:
    """One moment as objects carry it."""

    time: str
    micro_time: str


_ONE = Times("0001-01-01T01:01:01Z", "0001-01-01T01:01:01.010101Z")
_OTHER = Times("0002-02-02T02:02:02Z", "0002-02-02T02:02:02.020202Z")
"""No heartbeat is of these: what differs in bytes that carry one and the other are their times."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One kind of heartbeat: what it sets, through which subresource, what it owns, and what it has to
    fulfil.
    """

    resource: Resource
    subresource: str
    verb: str
    set_times: Callable[[Object, Times], Object]
    """The object's part beside its metadata with these times; it shares what does not change."""
    fields: Callable[[Object], FieldSet]
    """The fields it sets, all of which the object has."""
    errors: Callable[[Object], Sequence[FieldError]]


def _renewed(lease: Object, times: Times) -> Object:
    return {"spec": {**lease["spec"], "renewTime": times.micro_time}}


def _renewing(lease: Object) -> FieldSet:
    return {"f:spec": {"f:renewTime": {}}} if "renewTime" in (lease.get("spec") or {}) else {}


def _reported(node: Object, times: Times) -> Object:
    status = node["status"]
    conditions = [{**condition, "lastHeartbeatTime": times.time} for condition in status["conditions"]]
    return {"status": {**status, "conditions": conditions}}


def _reporting(node: Object) -> FieldSet:
    conditions = (node.get("status") or {}).get("conditions") or ()
    if not all("lastHeartbeatTime" in condition for condition in conditions):
        return {}
    names = [f'k:{{"type":"{condition["type"]}"}}' for condition in conditions]
    return (
        {"f:status": {"f:conditions": {name: {"f:lastHeartbeatTime": {}} for name in names}}} if names else {}
    )


BEATS = {
    beat.resource: beat
    for beat in (
        Beat(LEASES, "", "PUT", _renewed, _renewing, lambda lease: LEASES.strategy.validate(lease, lease)),
        Beat(
            NODES,
            "status",
            "PATCH",
            _reported,
            _reporting,
            lambda node: NODES.strategy.validate_status(node, node),
        ),
    )
}


@dataclass(slots=True)
class _Known:
    """An object that was looked through: as it is now, as it is stored, and where in that its times stand."""

    key: str
    manager: str
    obj: Object
    value: bytes
    revision: int
    places: Sequence[tuple[int, int]]
    """From the end of one time to the beginning of the next, from the first byte to the last."""
    lengths: Sequence[int]

    def with_times(self, texts: Mapping[int, bytes]) -> bytes:
        """The stored bytes with other times, by their lengths."""
        value = self.value
        parts = [value[slice(*self.places[0])]]
        for length, place in zip(self.lengths, self.places[1:], strict=True):
            parts += (texts[length], value[slice(*place)])
        return b"".join(parts)


class Heartbeats:
    """The objects whose heartbeats one client keeps."""

    def __init__(self, core: Core, user: User) -> None:
        self._core = core
        self._user = user
        self._known: dict[Resource, dict[str, _Known]] = {resource: {} for resource in BEATS}

    async def beat(self, resource: Resource, objects: Sequence[Object], manager: str) -> list[Object | None]:
        """Set the times of each object's heartbeat to now, as a write of it by `manager` would.

        Of the objects names and resourceVersions are looked at. For each there is what is stored now, which
        must not be changed, or None where a write by itself has to be made: it was written since, or there is
        more to decide. Raises ApiError (503) when the store fails.
        """
        beat = BEATS.get(resource)
        served = self._served(beat) if beat is not None else None
        if beat is None or served is None:
            return [None] * len(objects)
        self._forget_deleted(beat, served)
        now = self._core.now()
        times = Times(format_time(now), format_micro_time(now))
        texts = _texts(times)
        may = {namespace: self._may(beat, namespace) for namespace in {namespace_of(obj) for obj in objects}}
        found = [
            self._look_up(beat, served, obj, manager) if may[namespace_of(obj)] else None for obj in objects
        ]
        foreseen: dict[bytes, Object] = {}
        writes: dict[str, Write] = {}
        for known in found:
            if known is not None:
                value = known.with_times(texts)
                if value == known.value:
                    return [None] * len(objects)  # this very moment was told already: no write at all
                foreseen[value] = _with_times(beat, known.obj, times)
                writes[known.key] = Write(known.key, value, known.revision)
        with served.cacher.foreseeing(foreseen):
            entries = await self._write(beat, writes)
        return [self._take_in(beat, known, entries, foreseen) for known in found]

    async def _write(self, beat: Beat, writes: dict[str, Write]) -> dict[str, Entry]:
        """Make these writes as one, but for those somebody was faster than; what is stored now, by key."""
        core = self._core
        while writes:
            try:
                with core.storing("update", beat.resource, len(writes)):
                    entries = await core.store.transact(list(writes.values()))
            except (KeyMissing, RevisionMismatch) as error:
                del writes[error.key]
            else:
                core.local_calls.add(beat.verb, 200, len(entries))
                return {entry.key: entry for entry in entries}
        return {}

    def _served(self, beat: Beat) -> Served | None:
        """The resource as it is served, if nobody has more to say about its heartbeats."""
        core, resource = self._core, beat.resource
        served = core.registry.find(resource.group, resource.version, resource.plural)
        if (
            served is None
            or served.resource is not resource
            or served.converts
            or not served.source.is_ready
            or core.interceptor is not None
            or self._user.node_name
            or core.admission.concerned(core, resource, beat.subresource, UPDATE).judges_heartbeats
        ):
            return None
        return served

    def _may(self, beat: Beat, namespace: str) -> bool:
        info = request_info(beat.verb, beat.resource.path(namespace), NO_QUERY)
        try:
            self._core.authorizer.check(self._user, info._replace(subresource=beat.subresource))
        except ApiError:
            return False  # of that one object it may still be allowed
        return True

    def _look_up(self, beat: Beat, served: Served, obj: Object, manager: str) -> _Known | None:
        key = beat.resource.key_of(obj)
        all_known = self._known[beat.resource]
        known = all_known.get(key)
        if known is None or str(known.revision) != revision_of(obj) or known.manager != manager:
            all_known.pop(key, None)
            known = self._looked_through(beat, served, key, revision_of(obj), manager)
            if known is not None:
                all_known[key] = known
        return known

    def _looked_through(
        self, beat: Beat, served: Served, key: str, version: str, manager: str
    ) -> _Known | None:
        cached = served.cacher.get(key)
        if cached is None or str(cached.revision) != version or served.is_stored_otherwise(cached):
            return None
        obj = served.decode(cached)
        if is_deleting(obj) or not _is_owner(beat, obj, manager) or beat.errors(obj):
            return None
        one, other = (encode_stored(_with_times(beat, obj, times)) for times in (_ONE, _OTHER))
        spans = [m.span() for m in finditer(rb'"0001-01-01T01:01:01(\.010101)?Z"', one)]
        ends = [0, *(end for span in spans for end in span), len(one)]
        places = list(pairwise(ends))[::2]
        known = _Known(key, manager, obj, one, cached.revision, places, [end - start for start, end in spans])
        if known.with_times(_texts(_OTHER)) != other:
            return None  # somebody else has such a time in it
        known.value = encode_stored(obj)
        return known if len(known.value) == len(one) else None

    def _take_in(
        self,
        beat: Beat,
        known: _Known | None,
        entries: Mapping[str, Entry],
        foreseen: Mapping[bytes, Object],
    ) -> Object | None:
        if known is None:
            return None
        entry = entries.get(known.key)
        if entry is None:
            self._known[beat.resource].pop(known.key, None)
            return None
        known.value, known.revision = entry.value, entry.revision
        known.obj = foreseen[entry.value]
        known.obj["metadata"]["resourceVersion"] = str(entry.revision)
        return known.obj

    def _forget_deleted(self, beat: Beat, served: Served) -> None:
        known = self._known[beat.resource]
        if len(known) > 2 * len(served.cacher) + MOST_FORGOTTEN:
            for key in [key for key in known if served.cacher.get(key) is None]:
                del known[key]


MOST_FORGOTTEN = 100
"""How many objects that are no longer there may be known."""


def _texts(times: Times) -> dict[int, bytes]:
    return {len(text) + 2: b'"%b"' % text.encode() for text in (times.time, times.micro_time)}


def _is_owner(beat: Beat, obj: Object, manager: str) -> bool:
    """Whether such a heartbeat of `manager` changes no more of managedFields than the time of one entry.

    That is so when all fields are in its own entry and in no other, and that is the last, as the youngest is.
    """
    entries = metadata(obj).get("managedFields") or []
    fields = beat.fields(obj)
    if not entries or not fields:
        return False
    *others, own = entries
    is_own = (
        own.get("manager"),
        own.get("operation"),
        own.get("apiVersion"),
        own.get("subresource") or "",
    ) == (
        manager,
        "Update",
        beat.resource.api_version,
        beat.subresource,
    )
    return (
        is_own
        and not difference(fields, own.get("fieldsV1") or {})
        and all(difference(fields, entry.get("fieldsV1") or {}) == fields for entry in others)
    )


def _with_times(beat: Beat, obj: Object, times: Times) -> Object:
    """The object after a heartbeat; it shares with the one given what does not change."""
    meta = obj["metadata"]
    *others, own = meta["managedFields"]
    entries = [*others, {**own, "time": times.time}]
    return {**obj, "metadata": {**meta, "managedFields": entries}, **beat.set_times(obj, times)}
