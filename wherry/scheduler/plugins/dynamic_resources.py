"""DynamicResources: pods go where devices for their claims are, and get these (upstream's plugin).

A pod waits, untried, until its claims exist. Claims that have devices tell where the pod can run; for the
others devices are looked for on each node. What was found on a node holds for all pods that want the same, as
long as nothing changes about the devices the node may use. The devices of the chosen node are counted as
allocated at once, and written into the claims before the pod is bound.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from wherry.api.dynamicresources.pod_claims import (
    FINALIZER,
    PodClaim,
    can_be_reserved,
    is_allocated,
    is_reserved_for,
    owner_trouble,
    pod_claims,
    reservation,
    users_of,
)
from wherry.api.dynamicresources.pod_claims import NOT_YET as NOT_CREATED
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.client.api import Client
from wherry.client.transport import STRATEGIC_PATCH
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, key_of, metadata, name_of, namespace_of, uid_of
from wherry.scheduler.devices.allocator import (
    AllocationError,
    BrokenSelector,
    OutOfSteps,
    Sees,
    Steps,
    find_devices,
)
from wherry.scheduler.devices.inventory import Inventory, allocation_of
from wherry.scheduler.devices.results import Given, allocation
from wherry.scheduler.devices.wanted import Wanted, class_names, read_claim
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind, Plugin, Refusal, Rejection, SchedulingError
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.matching import any_term_rows
from wherry.scheduler.world import World

NOT_ENOUGH = "cannot allocate all claims"
NOT_HERE = "resourceclaim not available on the node"
TIMED_OUT = "timed out trying to allocate devices"
IN_USE = "resourceclaim in use"
DEALLOCATED = "deallocation of ResourceClaim completed"
STILL_NOT = "still not schedulable"
STEPS_ON_A_NODE = 2_000
STEPS_IN_ALL = 3_000
"""So much is looked at for one decision: some ten milliseconds of everybody's."""
ENOUGH_NODES = 100
"""So many nodes with devices are enough to choose from (as upstream's numFeasibleNodesToFind)."""
MOST_VERDICTS = 16
TRIES = 5
CLASS = "class:"
"""Sets the names of classes apart from those of nodes in a `Change` of devices."""
Verdict = str
"""Why claims cannot be allocated on a node, "" if they can."""


@dataclass(slots=True)
class _Claims:
    """A pod's claims: where those that have devices can be used, and what the others want."""

    selectors: list[Mapping[str, Any]] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    wants: bytes = b""
    """What is wanted, to compare by."""


class DynamicResources(Plugin):
    """See the module."""

    name = "DynamicResources"
    changes = frozenset({Kind.NODE, Kind.RESOURCE_CLAIMS, Kind.DEVICES})

    def __init__(self) -> None:
        self._verdicts: OrderedDict[bytes, dict[str, tuple[Hashable, Verdict]]] = OrderedDict()

    def gate(self, pod: PodFacts, world: World) -> str:
        """See `Plugin.gate`: all claims of the pod have to be there, and be its own to use."""
        for wanted in pod_claims(pod.pod):
            if trouble := _trouble(pod, wanted, world.devices):
                return trouble
        return ""

    def prepare(self, pod: PodFacts, world: World) -> _Claims | Refusal | None:
        """See `Plugin.prepare`."""
        found = _Claims()
        seen = False
        for wanted in pod_claims(pod.pod):
            if wanted.claim == "":
                continue
            seen = True
            if trouble := _trouble(pod, wanted, world.devices):
                return Refusal(trouble)
            refusal = _add(found, pod, world.devices.claims[_key(pod, wanted)], world.devices)
            if refusal is not None:
                return refusal
        found.wants = orjson.dumps([one.claim.get("spec") for one in found.wanted])
        return found if seen else None

    def filter(self, state: _Claims, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        out: list[Rejection] = []
        left: Bools = np.ones(len(world.nodes), dtype=np.bool_)
        for selector in state.selectors:
            left &= any_term_rows(world.nodes, selector.get("nodeSelectorTerms") or ())
        if not left.all():
            out.append(Rejection(~left[rows], NOT_HERE))
        if state.wanted:
            codes, texts = self._judged(state, world, left)
            codes = codes[rows]
            out += [Rejection(codes == code, texts[code]) for code in map(int, np.unique(codes[codes > 0]))]
        return out

    def _judged(self, state: _Claims, world: World, left: Bools) -> tuple[Ints, list[Verdict]]:
        """Why the claims cannot be allocated on each row that is `left`: numbers of verdicts, 0 if they can.

        Raises SchedulingError.
        """
        texts, codes = ["", NOT_ENOUGH, TIMED_OUT], np.zeros(len(left), dtype=np.int64)
        rows = np.flatnonzero(left)
        having = world.devices.nodes()
        if having is not None and any(one.requests for one in state.wanted):
            codes[rows] = 1
            row_of = world.nodes.row_of
            candidates = [row for node in having if (row := row_of.get(node, -1)) >= 0 and left[row]]
            rows = np.array(candidates, dtype=np.int64)
        judge, feasible = _Judge(self._known(state.wants), state.wanted, world), 0
        for number, row in enumerate(map(int, rows)):
            verdict = judge.verdict(row)
            if verdict not in texts:
                texts.append(verdict)
            codes[row] = texts.index(verdict)
            feasible += not verdict
            if feasible >= ENOUGH_NODES:
                codes[rows[number + 1 :]] = 2
                break
        if not feasible and judge.is_exhausted:
            raise SchedulingError(TIMED_OUT)  # what was found out is remembered: the next try gets further
        return codes, texts

    def _known(self, wants: bytes) -> dict[str, tuple[Hashable, Verdict]]:
        known = self._verdicts.setdefault(wants, {})
        self._verdicts.move_to_end(wants)
        if len(self._verdicts) > MOST_VERDICTS:
            self._verdicts.popitem(last=False)
        return known

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`: claims are used, and mostly made, for one pod."""
        return pod.uid if (pod.pod.get("spec") or {}).get("resourceClaims") else None

    def version(self, world: World) -> int:
        """See `Plugin.version`."""
        return world.devices.revision

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: its own claims, classes it names, devices it may use."""
        own = {_key(pod, wanted) for wanted in pod_claims(pod.pod)}
        if change.kind is Kind.RESOURCE_CLAIMS:
            return not own.isdisjoint(change.names)
        if change.kind is Kind.DEVICES and _is_wide(change, own, world.devices):
            return True
        try:
            return Plugin.concerned(self, pod, change, world)
        except SchedulingError:
            return True  # it is tried, and told

    # What is done for a pod that was given a node.

    def reserve(self, pod: PodFacts, node: str, world: World) -> None:
        """See `Plugin.reserve`: count the devices of the node as allocated."""
        state = self.prepare(pod, world)
        if state is None:
            return
        row = world.nodes.row_of.get(node)
        if isinstance(state, Refusal) or row is None:
            raise SchedulingError(state.reason if isinstance(state, Refusal) else f"node {node} is gone")
        if not state.wanted:
            return
        try:
            sees = _Places(world).seen_from(row)
            given = find_devices(world.devices, state.wanted, node, sees, Steps(STEPS_ON_A_NODE))
        except (AllocationError, BrokenSelector, OutOfSteps) as error:
            raise SchedulingError(str(error) or TIMED_OUT) from error
        if given is None:
            raise SchedulingError("claim allocation not found for node")
        for wanted, own in zip(state.wanted, given, strict=True):
            result = allocation(wanted, own, node, _share_ids(world, own))
            world.devices.promise(wanted.claim, pod.uid, result)

    async def pre_bind(self, pod: PodFacts, node: str, world: World, client: Client) -> None:
        """See `Plugin.pre_bind`: write the allocations and reserve the claims."""
        for wanted in pod_claims(pod.pod):
            if not wanted.claim:
                continue
            claim = world.devices.claims.get(_key(pod, wanted))
            if claim is None or not is_reserved_for(claim, pod.uid):
                await _bind_claim(pod, _key(pod, wanted), claim, world.devices, client)

    async def unreserve(self, pod: PodFacts, node: str, world: World, client: Client) -> None:
        """See `Plugin.unreserve`."""
        keys = [_key(pod, wanted) for wanted in pod_claims(pod.pod) if wanted.claim]
        world.devices.release(keys, pod.uid)
        for key in keys:
            claim = world.devices.claims.get(key)
            if claim is None or not is_allocated(claim) or not is_reserved_for(claim, pod.uid):
                continue
            patch = {
                "metadata": {"uid": uid_of(claim)},
                "status": {"reservedFor": [{"$patch": "delete", "uid": pod.uid}]},
            }
            try:
                await client.patch(
                    RESOURCE_CLAIMS,
                    name_of(claim),
                    namespace_of(claim),
                    patch,
                    content_type=STRATEGIC_PATCH,
                    subresource="status",
                )
            except ApiError as error:
                if error.code != 404:
                    raise

    async def post_filter(self, pod: PodFacts, world: World, client: Client) -> str:
        """See `Plugin.post_filter`: give back a claim that keeps the pod from nodes, if nobody uses it."""
        if not isinstance(self.prepare(pod, world), _Claims):
            return ""
        for wanted in pod_claims(pod.pod):
            claim = world.devices.claims.get(_key(pod, wanted)) if wanted.claim else None
            if claim is None or not is_allocated(claim) or _is_open(claim, world):
                continue
            if all(user.get("uid") == pod.uid for user in users_of(claim)):
                status = {**(claim.get("status") or {}), "reservedFor": [], "allocation": None, "devices": []}
                await client.update_status(RESOURCE_CLAIMS, {**claim, "status": status})
                return DEALLOCATED
        return STILL_NOT


def _key(pod: PodFacts, wanted: PodClaim) -> str:
    return f"{pod.template.namespace}/{wanted.claim}"


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


class _Places:
    """Which rows places (nodeSelector, allNodes) are open to, each worked out once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[bytes, Bools] = {}

    def seen_from(self, row: int) -> Sees:
        """Whether a place is open to a row."""

        def sees(place: Mapping[str, Any]) -> bool:
            if place.get("allNodes"):
                return True
            selector = place.get("nodeSelector")
            if selector is None:
                return False
            key = orjson.dumps(selector)
            if key not in self._rows:
                terms = selector.get("nodeSelectorTerms") or ()
                self._rows[key] = any_term_rows(self._world.nodes, terms)
            return bool(self._rows[key][row])

        return sees


class _Judge:
    """Says of nodes whether claims can be allocated there; `known` are verdicts of before, with stamps."""

    def __init__(
        self, known: dict[str, tuple[Hashable, Verdict]], wanted: list[Wanted], world: World
    ) -> None:
        self._known = known
        self._wanted = wanted
        self._inventory = world.devices
        self._names = world.nodes.names
        self._places = _Places(world)
        self._era = world.era if world.devices.selects_nodes else 0
        self._steps = STEPS_IN_ALL

    @property
    def is_exhausted(self) -> bool:
        """Whether not all nodes were looked at."""
        return self._steps <= 0

    def verdict(self, row: int) -> Verdict:
        """Why the claims cannot be allocated on a node, "" if they can. Raises SchedulingError."""
        node = self._names[row]
        stamp = (self._inventory.stamp(node), self._era)
        before = self._known.get(node)
        if before is not None and before[0] == stamp:
            return before[1]
        if self.is_exhausted:
            return TIMED_OUT
        found = self._looked(node, self._places.seen_from(row))
        if found in ("", NOT_ENOUGH, TIMED_OUT):  # others name the claim
            self._known[node] = (stamp, found)
        return found

    def _looked(self, node: str, sees: Sees) -> Verdict:
        own = Steps(STEPS_ON_A_NODE)
        try:
            found = find_devices(self._inventory, self._wanted, node, sees, own)
        except OutOfSteps:
            return TIMED_OUT
        except AllocationError as error:
            return str(error)
        except BrokenSelector as error:
            raise SchedulingError(str(error)) from error
        finally:
            self._steps -= STEPS_ON_A_NODE - max(own.left, 0)
        return NOT_ENOUGH if found is None else ""


def _share_ids(world: World, given: list[Given]) -> list[str]:
    """A random id (a UUID's text) for each device that may be shared."""
    return [world.devices.new_share_id() for one in given if one.consumed is not None]


def _is_open(claim: Object, world: World) -> bool:
    """Whether the devices of a claim can be used from any node."""
    selector = (allocation_of(claim) or {}).get("nodeSelector")
    return selector is None or bool(any_term_rows(world.nodes, selector.get("nodeSelectorTerms") or ()).all())


def _is_wide(change: Change, claims: set[str], inventory: Inventory) -> bool:
    """Whether a change is about devices of any node, or about a class the claims name."""
    if "" in change.names:
        return True
    known = (inventory.claims.get(key) for key in claims)
    named = {name for claim in known if claim is not None for _, name in class_names(claim)}
    return any(name.startswith(CLASS) and name.removeprefix(CLASS) in named for name in change.names)


async def _bind_claim(
    pod: PodFacts, key: str, claim: Object | None, inventory: Inventory, client: Client
) -> None:
    """Write the allocation that was decided, if any, and the reservation. Raises SchedulingError."""
    pending = inventory.pending.get(key)
    given = pending.allocation if pending is not None and pending.pod_uid == pod.uid else None
    what = "add allocation and reservation to" if given is not None else "add reservation to"
    try:
        for _ in range(TRIES):
            if claim is None:
                claim = await client.get(RESOURCE_CLAIMS, key.partition("/")[2], pod.template.namespace)
            try:
                updated = await _write_claim(pod, key, claim, given, client)
            except ApiError as error:
                if error.code != 409 or error.reason != "Conflict":
                    raise
                claim = None
                continue
            inventory.set_claim(key, updated)
            inventory.release((key,), pod.uid)
            return
    except ApiError as error:
        raise _failed(f"{what} claim {key}: {error.message}") from error
    raise _failed(f"{what} claim {key}: it changes all the time")


async def _write_claim(
    pod: PodFacts, key: str, claim: Object, given: Mapping[str, Any] | None, client: Client
) -> Object:
    if is_deleting(claim):
        raise _failed(f"claim {key} got deleted in the meantime")
    status = {**(claim.get("status") or {})}
    if given is not None:
        if is_allocated(claim):
            raise _failed(f"claim {key} got allocated elsewhere in the meantime")
        finalizers = list(metadata(claim).get("finalizers") or ())
        if FINALIZER not in finalizers:
            meta = {**claim["metadata"], "finalizers": [*finalizers, FINALIZER]}
            try:
                claim = await client.update(RESOURCE_CLAIMS, {**claim, "metadata": meta})
            except ApiError as error:
                if error.reason == "Conflict":
                    raise
                raise _failed(f"add finalizer to claim {key}: {error.message}") from error
        status["allocation"] = given
    if not is_reserved_for(claim, pod.uid):
        status["reservedFor"] = [*users_of(claim), reservation(pod.pod)]
    return await client.update_status(RESOURCE_CLAIMS, {**claim, "status": status})


def _failed(text: str) -> SchedulingError:
    return SchedulingError(f'running PreBind plugin "DynamicResources": {text}')
