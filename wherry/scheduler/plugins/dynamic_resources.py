"""DynamicResources: pods go where devices for their claims are, and get these (upstream's plugin).

A pod waits, untried, until its claims exist. Claims that have devices tell where the pod can run; for the
others devices are looked for on each node (`devices/judgement`). Extended resources that a device class
stands for are a claim, too, on nodes that do not have the resource themselves. The devices of the chosen node
are counted as allocated at once, and written into the claims before the pod is bound (`devices/writing`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from wherry.api.dynamicresources.pod_claims import NOT_YET as NOT_CREATED
from wherry.api.dynamicresources.pod_claims import (
    PodClaim,
    can_be_reserved,
    is_allocated,
    is_reserved_for,
    owner_trouble,
    pod_claims,
    users_of,
)
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.client.api import Client
from wherry.objects.meta import Object, is_deleting, key_of, name_of
from wherry.scheduler.devices.allocator import (
    AllocationError,
    BrokenSelector,
    find_devices,
)
from wherry.scheduler.devices.extended import UNNAMED, claim_for, requests_for
from wherry.scheduler.devices.inventory import Inventory, allocation_of
from wherry.scheduler.devices.judgement import STEPS_ON_A_NODE, TIMED_OUT, Judgement
from wherry.scheduler.devices.readiness import (
    LONGEST_S,
    failure_of,
    has_conditions,
    is_hopeless,
    is_overdue,
    is_ready,
)
from wherry.scheduler.devices.results import Given, allocation
from wherry.scheduler.devices.steps import OutOfSteps, Steps
from wherry.scheduler.devices.wanted import Wanted, class_names, read_claim
from wherry.scheduler.devices.writing import (
    bind_claim,
    bind_extended,
    delete_extended,
    failed,
    unreserve_claim,
)
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind, Plugin, Refusal, Rejection, SchedulingError, scaled
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.matching import any_term_rows
from wherry.scheduler.world import World

NOT_HERE = "resourceclaim not available on the node"
IN_USE = "resourceclaim in use"
DEALLOCATED = "deallocation of ResourceClaim completed"
STILL_NOT = "still not schedulable"
CLASS = "class:"
"""Sets the names of classes apart from those of nodes in a `Change` of devices."""


@dataclass(slots=True)
class _Claims:
    """A pod's claims: where those that have devices can be used, and what the others want."""

    pod: PodFacts
    extended: tuple[str, ...] = ()
    """The extended resources a class stands for."""
    selectors: list[Mapping[str, Any]] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    points: Ints | None = None
    """By row, if there are alternatives."""
    is_hopeless: bool = False
    """Whether devices of a claim failed or took too long: it has to be given others first."""


class DynamicResources(Plugin):
    """See the module."""

    name = "DynamicResources"
    scales = True
    changes = frozenset({Kind.NODE, Kind.RESOURCE_CLAIMS, Kind.DEVICES})

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._judgement = Judgement()
        self._longest_s = longest_s
        """So long devices may take to become ready."""

    def gate(self, pod: PodFacts, world: World) -> str:
        """See `Plugin.gate`: all claims of the pod have to be there, and be its own to use."""
        for wanted in pod_claims(pod.pod):
            if trouble := _trouble(pod, wanted, world.devices):
                return trouble
        return ""

    def prepare(self, pod: PodFacts, world: World) -> _Claims | Refusal | None:
        """See `Plugin.prepare`."""
        found = _Claims(pod, extended_of(pod, world))
        seen = bool(found.extended)
        for wanted in pod_claims(pod.pod):
            if wanted.claim == "":
                continue
            seen = True
            if trouble := _trouble(pod, wanted, world.devices):
                return Refusal(trouble)
            refusal = _add(found, pod, world.devices.claims[_key(pod, wanted)], world.devices)
            if refusal is not None:
                return refusal
            found.is_hopeless |= self._is_hopeless(world.devices.claims[_key(pod, wanted)], world)
        return found if seen else None

    def _is_hopeless(self, claim: Object, world: World) -> bool:
        return is_hopeless(claim, world.clock.now(), self._longest_s)

    def filter(self, state: _Claims, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        out: list[Rejection] = []
        left: Bools = np.full(len(world.nodes), not state.is_hopeless)
        for selector in state.selectors:
            left &= any_term_rows(world.nodes, selector.get("nodeSelectorTerms") or ())
        if not left.all():
            out.append(Rejection(~left[rows], NOT_HERE))
        total = np.zeros(len(world.nodes), dtype=np.int64)
        for wanted, alike in _variants(state, world):
            codes, texts, points = self._judgement.judged(wanted, world, left & alike)
            codes, total = codes[rows], total + points
            out += [Rejection(codes == code, texts[code]) for code in map(int, np.unique(codes[codes > 0]))]
        state.points = total
        return out

    def score(self, state: _Claims, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: nodes where the alternatives named first can be had are preferred."""
        return None if state.points is None or not state.points.any() else scaled(state.points, feasible)

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`: claims are used, and mostly made, for one pod."""
        return pod.uid if (pod.pod.get("spec") or {}).get("resourceClaims") else None

    @property
    def gate_changes(self) -> frozenset[Kind]:
        """See `Plugin.gate_changes`: only claims are waited for."""
        return frozenset({Kind.RESOURCE_CLAIMS})

    def waits_as(self, pod: PodFacts, world: World) -> Hashable:
        """See `Plugin.waits_as`: pods whose claims want the same, and have no devices yet."""
        if self.signature(pod) is None:
            return None
        state = self.prepare(pod, world)
        if not isinstance(state, _Claims) or state.selectors:
            return pod.uid
        return orjson.dumps([one.claim.get("spec") for one in state.wanted])

    def version(self, world: World) -> int:
        """See `Plugin.version`."""
        return world.devices.revision

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: its own claims, classes it names, devices it may use."""
        own = {_key(pod, wanted) for wanted in pod_claims(pod.pod)}
        if change.kind is Kind.RESOURCE_CLAIMS:
            return not own.isdisjoint(change.names)
        if change.kind is Kind.DEVICES and ("" in change.names or _names_class(pod, own, change, world)):
            return True
        try:
            return Plugin.concerned(self, pod, change, world)
        except SchedulingError:
            return True  # it is tried, and told

    async def post_filter(self, pod: PodFacts, world: World, client: Client) -> str:
        """See `Plugin.post_filter`: give back a claim that keeps the pod from nodes, if nobody uses it."""
        if not isinstance(self.prepare(pod, world), _Claims):
            return ""
        if await delete_extended(pod, world.devices, client):
            return DEALLOCATED
        for wanted in pod_claims(pod.pod):
            claim = world.devices.claims.get(_key(pod, wanted)) if wanted.claim else None
            if claim is None or not is_allocated(claim):
                continue
            if _is_open(claim, world) and not self._is_hopeless(claim, world):
                continue
            if all(user.get("uid") == pod.uid for user in users_of(claim)):
                status = {**(claim.get("status") or {}), "reservedFor": [], "allocation": None, "devices": []}
                await client.update_status(RESOURCE_CLAIMS, {**claim, "status": status})
                return DEALLOCATED
        return STILL_NOT

    # What is done for a pod that was given a node.

    def reserve(self, pod: PodFacts, node: str, world: World) -> None:
        """See `Plugin.reserve`: count the devices of the node as allocated."""
        state = self.prepare(pod, world)
        if state is None:
            return
        row = world.nodes.row_of.get(node)
        if isinstance(state, Refusal) or row is None:
            raise SchedulingError(state.reason if isinstance(state, Refusal) else f"node {node} is gone")
        names = _needed_on(state, world, row)
        wanted = _with_extended(state, names, world)
        if not wanted:
            return
        try:
            steps = Steps(STEPS_ON_A_NODE)
            sees = world.places.seen_from(row, steps)
            given = find_devices(world.devices, wanted, node, sees, steps)
        except (AllocationError, BrokenSelector, OutOfSteps) as error:
            raise SchedulingError(str(error) or TIMED_OUT) from error
        if given is None:
            raise SchedulingError("claim allocation not found for node")
        _, mappings = requests_for(pod.pod, names, world.devices.class_of)
        for claim, own in zip(wanted, given, strict=True):
            result = allocation(claim, own, node, _share_ids(world, own))
            is_extended = claim.key.endswith(UNNAMED)
            key = _extended_key(pod) if is_extended else claim.key
            world.devices.promise(key, claim.claim, pod.uid, result, mappings if is_extended else ())

    async def pre_bind(self, pod: PodFacts, node: str, world: World, client: Client) -> None:
        """See `Plugin.pre_bind`: write the allocations and reserve the claims."""
        for wanted in pod_claims(pod.pod):
            if not wanted.claim:
                continue
            claim = world.devices.claims.get(_key(pod, wanted))
            if claim is None or not is_reserved_for(claim, pod.uid):
                await bind_claim(pod, _key(pod, wanted), world, client)
        key = _extended_key(pod)
        pending = world.devices.pending.get(key)
        if pending is not None:
            await bind_extended(pod, key, pending, world, client)

    def is_held_up(self, pod: PodFacts, node: str, world: World, since: datetime) -> bool:
        """See `Plugin.is_held_up`: by devices that are not ready yet."""
        now = world.clock.now()
        keys = [_key(pod, wanted) for wanted in pod_claims(pod.pod) if wanted.claim]
        for key in [*keys, world.devices.extended.get(pod.uid, "")]:
            claim = world.devices.claims.get(key)
            if claim is None or not has_conditions(claim):
                continue
            if failure := failure_of(claim):
                raise failed(failure)
            if is_ready(claim):
                continue
            if is_overdue(claim, now, self._longest_s):
                raise failed(f"claim {name_of(claim)} binding timeout")
            if (now - since).total_seconds() > self._longest_s:
                raise failed("device binding timeout")
            return True
        return False

    async def unreserve(self, pod: PodFacts, node: str, world: World, client: Client) -> None:
        """See `Plugin.unreserve`."""
        keys = [_key(pod, wanted) for wanted in pod_claims(pod.pod) if wanted.claim]
        world.devices.release([*keys, _extended_key(pod)], pod.uid)
        for key in keys:
            claim = world.devices.claims.get(key)
            if claim is not None and is_allocated(claim) and is_reserved_for(claim, pod.uid):
                await unreserve_claim(pod, claim, client)
        await delete_extended(pod, world.devices, client)


def extended_of(pod: PodFacts, world: World) -> tuple[str, ...]:
    """The extended resources a pod asks for that a device class stands for."""
    requests, class_of = pod.template.requests, world.devices.class_of
    return tuple(sorted(name for name, count in requests.items() if count and "/" in name and class_of(name)))


def _variants(state: _Claims, world: World) -> Iterator[tuple[list[Wanted], Bools]]:
    """What is wanted on which rows: nodes that have an extended resource need no devices for it."""
    lacking = [world.nodes.resource(world.nodes.allocatable, name) == 0 for name in state.extended]
    codes = np.zeros(len(world.nodes), dtype=np.int64)
    for bit, rows in enumerate(lacking):
        codes |= rows.astype(np.int64) << bit
    for code in map(int, np.unique(codes)):
        names = [name for bit, name in enumerate(state.extended) if code & (1 << bit)]
        wanted = _with_extended(state, names, world)
        if wanted:
            yield wanted, codes == code


def _needed_on(state: _Claims, world: World, row: int) -> list[str]:
    """The extended resources a node does not have itself."""
    allocatable = world.nodes.allocatable
    return [name for name in state.extended if not world.nodes.resource(allocatable, name)[row]]


def _with_extended(state: _Claims, names: list[str], world: World) -> list[Wanted]:
    """What the pod's claims want, and these extended resources."""
    if not names:
        return state.wanted
    claim = claim_for(state.pod.pod, names, world.devices.class_of)
    return [*state.wanted, read_claim(claim, world.devices.classes)]


def _key(pod: PodFacts, wanted: PodClaim) -> str:
    return f"{pod.template.namespace}/{wanted.claim}"


def _extended_key(pod: PodFacts) -> str:
    """What stands for the claim of a pod's extended resources until it is made."""
    return f"{pod.template.namespace}/{UNNAMED}/{pod.uid}"


def _trouble(pod: PodFacts, wanted: PodClaim, inventory: Inventory) -> str:
    """Why the claim cannot be used by the pod, whatever devices there are."""
    if wanted.claim is None:
        return f'pod "{pod.key}": {NOT_CREATED}'
    if not wanted.claim:
        return ""
    claim = inventory.claims.get(_key(pod, wanted))
    if claim is None:
        return f'could not find v1.ResourceClaim "{_key(pod, wanted)}"'
    if is_deleting(claim):
        return f'resourceclaim "{wanted.claim}" is being deleted'
    return owner_trouble(pod.pod, claim) if wanted.is_own else ""


def _add(found: _Claims, pod: PodFacts, claim: Object, inventory: Inventory) -> Refusal | None:
    """Take one claim into account, or say why the pod has to wait."""
    if is_allocated(claim):
        if not is_reserved_for(claim, pod.uid) and not can_be_reserved(claim):
            return Refusal(IN_USE)
        selector = (allocation_of(claim) or {}).get("nodeSelector")
        if selector is not None:
            found.selectors.append(selector)
        return None
    if key_of(claim) in inventory.pending:
        return Refusal(f"resource claim {key_of(claim)} is in the process of being allocated")
    for request, name in class_names(claim):
        if name not in inventory.classes:
            return Refusal(f"request {request}: device class {name} does not exist")
    found.wanted.append(read_claim(claim, inventory.classes))
    return None


def _share_ids(world: World, given: list[Given]) -> list[str]:
    """A random id (a UUID's text) for each device that may be shared."""
    return [world.devices.new_share_id() for one in given if one.consumed is not None]


def _is_open(claim: Object, world: World) -> bool:
    """Whether the devices of a claim can be used from any node."""
    selector = (allocation_of(claim) or {}).get("nodeSelector")
    return selector is None or bool(any_term_rows(world.nodes, selector.get("nodeSelectorTerms") or ()).all())


def _names_class(pod: PodFacts, claims: set[str], change: Change, world: World) -> bool:
    """Whether a change is about a class the pod's claims name, or which stands for a resource it wants."""
    changed = {name.removeprefix(CLASS) for name in change.names if name.startswith(CLASS)}
    if not changed:
        return False
    known = (world.devices.claims.get(key) for key in claims)
    named = {name for claim in known if claim is not None for _, name in class_names(claim)}
    named |= {world.devices.class_of(name) for name in extended_of(pod, world)}
    return not named.isdisjoint(changed)
