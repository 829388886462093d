"""Slices, classes, taint rules and claims as the scheduler knows them, and what is allocated (`Inventory`).

Claims are kept as the watch shows them, or newer where a write's answer was; what was decided and is not
written yet is `pending`, and counts as allocated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from wherry.api.dynamicresources.pod_claims import EXTENDED, owning_pod
from wherry.api.dynamicresources.taints import selector_key, selectors_of
from wherry.kit.integers import parse_unsigned
from wherry.objects.meta import Object, annotations_of, revision_of, uid_of
from wherry.objects.quantity import parse_quantity
from wherry.scheduler.devices.capacity import Amounts
from wherry.scheduler.devices.departures import Departures
from wherry.scheduler.devices.device import Device, DeviceId, Slice
from wherry.scheduler.devices.extended import resources_of
from wherry.scheduler.devices.places import Place
from wherry.scheduler.devices.pool import Pool, PoolId, newest_of


@dataclass(frozen=True, slots=True)
class Pending:
    """An allocation that was decided for a pod, and is not written yet."""

    claim_uid: str
    pod_uid: str
    allocation: Mapping[str, Any]
    claim: Object
    """As it was, or is to be made."""
    mappings: Sequence[Object] = ()
    """Which container uses what of it, where it stands for extended resources."""


class Inventory:
    """See the module."""

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random(0)  # noqa: S311 - makes names
        self.classes: dict[str, Object] = {}
        self.rules: dict[str, Object] = {}
        self._rules: dict[str, dict[str, Object]] = {}
        """Taint rules by their selectors."""
        self.claims: dict[str, Object] = {}
        self.departures = Departures()
        """Claims that went while some were written."""
        self.pending: dict[str, Pending] = {}
        """By the claim's key."""
        self.extended: dict[str, str] = {}
        """The claims that stand for extended resources: keys by the uid of the pod."""
        self._resources: dict[str, str] = {}
        """The extended resources classes stand for, and these."""
        self.revision = 0
        """How often something changed that answers rest on."""
        self.used: dict[DeviceId, int] = {}
        """Devices that are allocated as a whole."""
        self.portions: dict[DeviceId, Amounts] = {}
        """What is taken of devices many may share; empty amounts as long as somebody has a share."""
        self._shares: dict[DeviceId, int] = {}
        self._slices: dict[str, Slice] = {}
        self._by_pool: dict[PoolId, dict[str, Slice]] = {}
        self._pools: dict[PoolId, Pool | None] = {}
        """Worked out when asked for."""
        self._local: dict[str, dict[PoolId, int]] = {}
        """By node: the pools with slices (or devices) of its own, and how many."""
        self._wide: dict[PoolId, int] = {}
        """Pools with devices that do not name their node."""
        self.places: dict[bytes, Place] = {}
        """Where devices can be used that do not name their node: each place once."""
        self._places: dict[bytes, int] = {}
        """How many slices name each place."""
        self._stamps: dict[str, int] = {}
        self._changes = 0
        """Counts the changes of all nodes: one that had no devices for a while has no stamp a second time."""
        self._wide_stamp = 0

    # What the watch shows.

    def set_class(self, name: str, obj: Object | None) -> None:
        """Take over a DeviceClass (None: it is gone)."""
        _put(self.classes, name, obj)
        self._resources = resources_of(self.classes.values())
        self._changed_widely()

    def set_rule(self, name: str, obj: Object | None) -> None:
        """Take over a DeviceTaintRule (None: it is gone)."""
        for one, change in ((self.rules.get(name), None), (obj, obj)):
            key = selector_key(((one or {}).get("spec") or {}).get("deviceSelector"))
            if key is not None:
                _put(self._rules.setdefault(key, {}), name, change)
                if not self._rules[key]:
                    del self._rules[key]
        _put(self.rules, name, obj)
        self._changed_widely()

    def set_slice(self, name: str, obj: Object | None) -> tuple[str, ...]:
        """Take over a ResourceSlice (None: it is gone); the nodes it is for, none if for any."""
        nodes: dict[str, None] = {}
        before = self._slices.pop(name, None)
        if before is not None:
            nodes.update(self._count(before, -1))
            by_name = self._by_pool[before.pool]
            del by_name[name]
            if not by_name:
                del self._by_pool[before.pool]
        if obj is not None:
            now = self._slices[name] = Slice(obj, before)
            self._by_pool.setdefault(now.pool, {})[name] = now
            nodes.update(self._count(now, 1))
        self.revision += 1
        return () if "" in nodes else tuple(nodes)

    def _count(self, found: Slice, sign: int) -> Iterator[tuple[str, None]]:
        """Note (or forget) which nodes have something of a slice; "" stands for any."""
        self._pools.pop(found.pool, None)
        for place in found.places.values():
            self._places[place.key] = self._places.get(place.key, 0) + sign
            self.places[place.key] = place
            if not self._places[place.key]:
                del self._places[place.key], self.places[place.key]
        names = [found.node] if found.node else list(found.on_node)
        if not found.node and (not found.is_per_device or found.everywhere or not found.devices):
            names.append("")
        for node in names:
            counts = self._local.setdefault(node, {}) if node else self._wide
            counts[found.pool] = counts.get(found.pool, 0) + sign
            if not counts[found.pool]:
                del counts[found.pool]
            if node and not counts:
                del self._local[node]
            self._stamp(node)
            yield node, None
        if len(self._by_pool.get(found.pool, ())) > 1:  # another generation makes older slices void
            for other in self._by_pool[found.pool].values():
                for node in [other.node] if other.node else list(other.on_node):
                    self._stamp(node)

    def set_claim(self, key: str, obj: Object | None) -> set[str]:
        """Take over a ResourceClaim (None: it is gone); the nodes with devices given back, "" for any."""
        before = self.claims.get(key)
        if obj is not None and before is not None and _is_older(obj, before):
            return set()
        pending = self.pending.get(key)
        if pending is not None and (obj is None or uid_of(obj) != pending.claim_uid or allocation_of(obj)):
            self._drop(key)
        if before is not None and uid_of(before) != uid_of(obj or {}):
            self.departures.note(uid_of(before))
        old, new = allocation_of(before), allocation_of(obj)
        _put(self.claims, key, obj)
        self._note_extended(key, obj, before)
        self.revision += 1
        if old == new:
            return set()
        freed = self._account(old, -1)
        self._account(new, 1)
        return freed

    def set_written(self, key: str, obj: Object) -> None:
        """Take over a ResourceClaim as a write's answer shows it, unless it is known to be gone since."""
        if uid_of(obj) not in self.departures:
            self.set_claim(key, obj)

    def _note_extended(self, key: str, obj: Object | None, before: Object | None) -> None:
        one = obj or before or {}
        if annotations_of(one).get(EXTENDED) != "true":
            return
        uid = owning_pod(one)[1]
        if obj is not None:
            self.extended[uid] = key
        elif self.extended.get(uid) == key:
            del self.extended[uid]

    # What was decided.

    def promise(
        self,
        key: str,
        claim: Object,
        pod_uid: str,
        allocation: Mapping[str, Any],
        mappings: Sequence[Object] = (),
    ) -> None:
        """Count an allocation that is about to be written."""
        self._drop(key)
        self.pending[key] = Pending(uid_of(claim), pod_uid, allocation, claim, mappings)
        self._account(allocation, 1)
        self.revision += 1

    def release(self, keys: Iterable[str], pod_uid: str) -> None:
        """Forget what was decided for a pod, and is not written."""
        for key in keys:
            if key in self.pending and self.pending[key].pod_uid == pod_uid:
                self._drop(key)

    def _drop(self, key: str) -> None:
        pending = self.pending.pop(key, None)
        if pending is not None:
            self._account(pending.allocation, -1)
            self.revision += 1

    def _account(self, allocation: Mapping[str, Any] | None, sign: int) -> set[str]:
        """Count an allocation (or not any more); the nodes it is about."""
        nodes: set[str] = set()
        for result in ((allocation or {}).get("devices") or {}).get("results") or ():
            if result.get("adminAccess"):
                continue
            device = DeviceId(
                result.get("driver") or "", result.get("pool") or "", result.get("device") or ""
            )
            counts = self.used if result.get("shareID") is None else self._shares
            counts[device] = counts.get(device, 0) + sign
            if counts[device] <= 0:
                del counts[device]
            if counts is self._shares:
                self._account_portion(device, result.get("consumedCapacity") or {}, sign)
            node = self._node_of(device)
            self._stamp(node)
            nodes.add(node)
        return nodes

    def _account_portion(self, device: DeviceId, consumed: Mapping[str, Any], sign: int) -> None:
        if device not in self._shares:
            self.portions.pop(device, None)
            return
        amounts = self.portions.setdefault(device, {})
        for name, text in consumed.items():
            full = name if "/" in name else f"{device.driver}/{name}"
            amounts[full] = amounts.get(full, Decimal(0)) + sign * parse_quantity(text)

    def new_share_id(self) -> str:
        """The id of a portion of a device."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    # What there is.

    def class_of(self, resource: str) -> str:
        """The class that stands for an extended resource, "" if none does."""
        return self._resources.get(resource, "")

    def is_taken(self, device: DeviceId) -> bool:
        """Whether anybody has the device, or a portion of it."""
        return device in self.used or device in self._shares

    def nodes(self) -> Iterable[str]:
        """The nodes that have devices of their own; others may use those of `places`."""
        return self._local.keys()

    def has_own(self, node: str) -> bool:
        """Whether a node has devices of its own."""
        return node in self._local

    def pools_for(self, node: str) -> list[Pool]:
        """The pools with devices a node may use, in order."""
        ids = {**self._local.get(node, {}), **self._wide}
        return [pool for id_ in sorted(ids) if (pool := self.pool(id_)) is not None]

    def pool(self, id_: PoolId) -> Pool | None:
        """A pool's newest slices; None if it has none."""
        if id_ not in self._pools:
            self._pools[id_] = newest_of(id_, self._by_pool.get(id_, {}).values())
        return self._pools[id_]

    def taints_of(self, device: Device) -> Iterator[tuple[str, str, str]]:
        """(key, value, effect) of the device's taints, those of rules included."""
        for taint in device.spec.get("taints") or ():
            yield _as_taint(taint)
        for key in selectors_of(device.id) if self._rules else ():
            for rule in self._rules.get(key, {}).values():
                yield _as_taint((rule.get("spec") or {}).get("taint") or {})

    def stamp(self, node: str) -> tuple[int, int]:
        """Equal as long as nothing changed about devices the node may use."""
        return self._wide_stamp, self._stamps.get(node, 0)

    def _stamp(self, node: str) -> None:
        if node in self._local:
            self._changes += 1
            self._stamps[node] = self._changes
        elif node:
            self._stamps.pop(node, None)  # as if it never had any
        else:
            self._wide_stamp += 1

    def _node_of(self, device: DeviceId) -> str:
        """The node whose alone the whole pool of a device is, "" if there is none."""
        nodes = {found.node for found in self._by_pool.get((device.driver, device.pool), {}).values()}
        return nodes.pop() if len(nodes) == 1 else ""

    def _changed_widely(self) -> None:
        self._wide_stamp += 1
        self.revision += 1


def allocation_of(claim: Object | None) -> Mapping[str, Any] | None:
    """`status.allocation`, None when there is none."""
    found: Mapping[str, Any] | None = ((claim or {}).get("status") or {}).get("allocation")
    return found


def _put(found: dict[str, Object], name: str, obj: Object | None) -> None:
    if obj is None:
        found.pop(name, None)
    else:
        found[name] = obj


def _is_older(obj: Object, known: Object) -> bool:
    one, other = parse_unsigned(revision_of(obj)), parse_unsigned(revision_of(known))
    return uid_of(obj) == uid_of(known) and one is not None and other is not None and one < other


def _as_taint(taint: Mapping[str, Any]) -> tuple[str, str, str]:
    return taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
