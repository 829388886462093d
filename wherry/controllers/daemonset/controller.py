"""The controller of DaemonSets: carries out what was decided, and says so."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers.base import Controller, Environment, slow_start
from wherry.controllers.daemonset.fleet import Fleet
from wherry.controllers.daemonset.judgement import Judge
from wherry.controllers.daemonset.node_changes import NodeChanges
from wherry.controllers.daemonset.placement import make_pod, target_node, template_generation
from wherry.controllers.daemonset.revisions import Revisions
from wherry.controllers.daemonset.rollout import plan_rollout
from wherry.controllers.daemonset.status import plan_status
from wherry.controllers.ownership import (
    candidates_for,
    claim,
    index_claims,
    owner_key,
    selector_of,
)
from wherry.controllers.pod_control import create_pod, delete_pods
from wherry.kit.backoff import BackOff
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    controller_of,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from wherry.objects.selectors import Selector

DAEMONS = "daemons by set and node"
"""The index of DaemonSets' pods: by namespace, the set's uid and the node they are on or for."""
BURST = 250
"""Never more pods made or deleted in one go; the rest follows in the next sync."""
REST_PER_NODE_S = 0.00005
"""A sync costs what has changed; the rest makes one status of what changes on many nodes at once."""
FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 15 * 60.0


def daemon_of(pod: Object) -> list[str]:
    """The `DAEMONS` index function."""
    owner = controller_of(pod)
    if owner is None or owner.get("kind") != DAEMON_SETS.kind:
        return []
    return [f"{namespace_of(pod)}/{owner.get('uid')}/{target_node(pod)}"]


class DaemonSets(Controller):
    """The controller of DaemonSets."""

    name = "daemonset"
    account = "daemon-set-controller"
    primary = DAEMON_SETS
    rest_per_object_s = REST_PER_NODE_S

    def __init__(self, environment: Environment) -> None:
        self._fleets: dict[str, Fleet] = {}
        self._pod_owners = owner_key(DAEMON_SETS)
        self._back_off = BackOff(environment.clock, FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S)
        super().__init__(environment)
        index_claims(self, PODS, CONTROLLER_REVISIONS)
        self.cache.add_index(PODS, DAEMONS, daemon_of)

    def watch_sources(self) -> None:
        """Beside the sets: their pods and revisions, and the nodes."""
        super().watch_sources()
        self._node_changes = NodeChanges(self._fleets, self._queue, self.tasks, self.clock)
        self._watch(PODS, self._pod_changed)
        self._watch(CONTROLLER_REVISIONS, owner_key(DAEMON_SETS))
        self._watch(NODES, self._node_changed)

    def _pod_changed(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A pod concerns its set, there the nodes it is or was for."""
        for key in self._pod_owners(cache, old, new):
            if (fleet := self._fleets.get(key)) is not None:
                nodes = [target_node(pod) for pod in (old, new) if pod is not None]
                fleet.touch_pod(key_of(new or old or {}), *nodes)
            yield key

    def _node_changed(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        self._node_changes.put(old, new)
        return ()

    def _queue(self, key: str) -> None:
        self.queue.add_after(key, self.rests.left_s(key))

    async def sync(self, key: str) -> float | None:
        """Make and delete pods, go on with an update, report, and delete revisions nobody needs."""
        daemon_set = self.cache.get(DAEMON_SETS, key)
        if daemon_set is None or is_deleting(daemon_set):
            # One that is going reports no more: its revisions may be gone or orphaned already.
            self._drop(key)
            return None
        selector = selector_of(daemon_set)
        if not selector.requirements:
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            self.events.event(daemon_set, WARNING, "SelectingAll", text)
            return None
        fleet = self._fleet(key, daemon_set)
        await self._claim(daemon_set, selector, fleet)
        if self._holds.must_wait(key):
            return None  # nodes are found by the pods the cache shows: what was adopted is not there yet
        revisions = await Revisions(self, daemon_set).settle(selector)
        if revisions.has_moved_pods and self._holds.must_wait(key):
            return None  # the cache still shows them as pods of a revision that is no more
        await self._judge(daemon_set, fleet, revisions.hash)
        self.rests.note(key, fleet.counts["desiredNumberScheduled"])
        failure, wait_s = await self._manage(daemon_set, fleet, revisions)
        await self.write_status(daemon_set, plan_status(daemon_set, fleet.counts))
        if failure is not None:
            raise failure
        await revisions.prune(fleet.revisions)
        waits = (wait_s, fleet.due_in_s(self.clock.now()))
        return min((wait for wait in waits if wait is not None), default=None)

    # What is known

    def _fleet(self, key: str, daemon_set: Object) -> Fleet:
        fleet = self._fleets.get(key)
        if fleet is None or fleet.uid != uid_of(daemon_set):
            self._drop(key)
            pods = candidates_for(self.cache, PODS, daemon_set)
            fleet = Fleet(uid_of(daemon_set), filter(None, map(target_node, pods)), map(key_of, pods))
            self._fleets[key] = fleet
        return fleet

    def _drop(self, key: str) -> None:
        self.rests.note(key, 0)
        fleet = self._fleets.pop(key, None)
        if fleet is not None:
            self._back_off.forget(f"{fleet.uid}/")

    async def _claim(self, daemon_set: Object, selector: Selector, fleet: Fleet) -> None:
        """Adopt and release pods, of those that are other than they were.

        Orphans another owner is at are looked at again: it may give them back.
        """
        keys = list(fleet.pods)
        found = {key: pod for key in keys if (pod := self.cache.get(PODS, key)) is not None}
        owned = {uid_of(pod) for pod in await claim(self, daemon_set, PODS, selector, [*found.values()])}
        again = (key for key, pod in found.items() if uid_of(pod) not in owned and _is_orphan(pod, selector))
        fleet.pods.difference_update(set(keys).difference(again))

    async def _judge(self, daemon_set: Object, fleet: Fleet, revision: str) -> None:
        basis = (metadata(daemon_set).get("generation"), template_generation(daemon_set), revision)
        if fleet.judge_by(basis, partial(Judge, daemon_set, revision), self._node_names):
            self._back_off.forget(f"{fleet.uid}/")

        namespace = namespace_of(daemon_set)

        def find(node: str) -> tuple[Object | None, list[Object]]:
            pods = self.cache.by_index(PODS, DAEMONS, f"{namespace}/{fleet.uid}/{node}")
            return self.cache.get(NODES, node), pods

        await fleet.catch_up(find, self.clock.now())

    def _node_names(self) -> list[str]:
        return [name_of(node) for node in self.cache.list(NODES)]

    # What is done

    async def _manage(
        self, daemon_set: Object, fleet: Fleet, revisions: Revisions
    ) -> tuple[BaseException | None, float | None]:
        """Make and delete pods; what went wrong, if anything, and after how many seconds to look again."""
        create: list[str] = []
        delete: list[Object] = []
        waits: list[float] = []
        for node in fleet.work:
            judged = fleet[node]
            if judged.needs_pod:
                create.append(node)
            delete += [*judged.excess, *self._ended(daemon_set, node, judged.ended)]
            for pod in judged.failed:
                wait_s = self._failed(daemon_set, node, pod)
                if wait_s > 0:
                    waits.append(wait_s)
                else:
                    delete.append(pod)
            if len(delete) >= BURST:
                break
        if not create and not delete:
            rollout = plan_rollout(daemon_set, fleet, BURST)
            create, delete = rollout.create, rollout.delete
        self.random.shuffle(create)  # so that the same few, refused each time, are not the first each time
        failures = await self._create(daemon_set, fleet, fleet.least_refused(create, BURST), revisions.hash)
        try:
            await delete_pods(self, daemon_set, delete[:BURST])
        except ApiError as error:
            failures.append(error)
        return next(iter(failures), None), min(waits, default=None)

    def _ended(self, daemon_set: Object, node: str, pods: list[Object]) -> list[Object]:
        for pod in pods:
            text = f"Found succeeded daemon pod {key_of(pod)} on node {node}, will try to delete it"
            self.events.event(daemon_set, NORMAL, "SucceededDaemonPod", text)
        return pods

    def _failed(self, daemon_set: Object, node: str, pod: Object) -> float:
        """Seconds until the failed pod may be deleted; 0: now, which counts."""
        key = f"{uid_of(daemon_set)}/{node}"
        wait_s = self._back_off.remaining_since_tried_s(key)
        if wait_s > 0:
            return wait_s
        self._back_off.advance(key, self.clock.now())
        text = f"Found failed daemon pod {key_of(pod)} on node {node}, will try to kill it"
        self.events.event(daemon_set, WARNING, "FailedDaemonPod", text)
        return 0.0

    async def _create(
        self, daemon_set: Object, fleet: Fleet, nodes: list[str], revision: str
    ) -> list[BaseException]:
        """Make the pods of these nodes, in batches that double while all goes well; what went wrong."""
        work = [partial(self._create_on, daemon_set, fleet, node, revision) for node in nodes]
        created, failures = await slow_start(work)
        if created:
            self.queue.forget(key_of(daemon_set))  # what goes on is tried again soon
        return failures

    async def _create_on(self, daemon_set: Object, fleet: Fleet, node: str, revision: str) -> None:
        try:
            await create_pod(self, daemon_set, partial(make_pod, daemon_set, node, revision))
        except ApiError:
            fleet.note_refusal(node)
            raise


def _is_orphan(pod: Object, selector: Selector) -> bool:
    return controller_of(pod) is None and not is_deleting(pod) and selector.matches(labels_of(pod))
