"""The scheduler's loop: take pods that ask for the same, decide about one after the other, bind in the
background.

A decided pod counts to its node at once ("assumed"), so the next decision sees it; the watch confirms it, a
failed binding takes it back. Nothing is polled: the queue sleeps until a pod comes or something changes
that could make a waiting one fit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from random import Random

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.api.scheduling.pod_groups import POD_GROUPS, group_key
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work, others
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, uid_of
from wherry.scheduler.binding import Binder
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.configuration import SchedulerConfiguration, default_configuration
from wherry.scheduler.consulting import Consulting
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.eviction import Evictor
from wherry.scheduler.explain.explainer import Explainer
from wherry.scheduler.extenders import Extender
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.feed import Feed
from wherry.scheduler.framework import Change, Kind, SchedulingError
from wherry.scheduler.group_cycle import GANGS, GroupCycle
from wherry.scheduler.group_preemption import GroupPreemption
from wherry.scheduler.group_status import GroupStatus
from wherry.scheduler.guard import in_time
from wherry.scheduler.known import RESOURCES, KnownSelectors, KnownStorage
from wherry.scheduler.preemption import TERMINATING, Candidate, ineligible
from wherry.scheduler.profiles import Profile
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.reporting import SCHEDULER_ERROR, Preemptor, Reporter
from wherry.scheduler.trace import NO_CLAIMS, NO_NODES, Trace
from wherry.scheduler.world import Placement, World

log = logging.getLogger(__name__)


class Scheduler:
    """Schedules the pods whose `spec.schedulerName` is that of one of the profiles."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        random: Random,
        configuration: SchedulerConfiguration | None = None,
    ) -> None:
        configuration = configuration or default_configuration()
        self._profiles = {profile.name: profile for profile in configuration.profiles}
        self._clock = clock
        self._client = client
        self._cache = Cache(client, clock, random=Random(random.getrandbits(64)))  # noqa: S311 - spreads retries
        self._world = World(
            KnownStorage(self._cache), KnownSelectors(self._cache), random=random, clock=clock
        )
        self._budgets = Budgets()
        self._queue = PodQueue(
            clock,
            self._is_concerned,
            first_backoff_s=configuration.first_backoff_s,
            longest_backoff_s=configuration.longest_backoff_s,
        )
        self._feed = Feed(self._world, self._queue, self._profiles)
        self._decisions = Decisions(self._world, random)
        self._reporters = {name: Reporter(client, clock, name, self._current) for name in self._profiles}
        extenders = [Extender(settings, self._find_node) for settings in configuration.extenders]
        self._extenders = extenders
        self._consulting = Consulting(extenders, self._decisions, self._world, random)
        self._binder = Binder(client, clock, self._world, self, extenders)
        self._evictor = Evictor(client, self._world, self._decisions, self._consulting, random)
        self._tasks = Tasks("scheduler")
        status = GroupStatus(client, clock, self._world.groups, self._tasks)
        preemption = GroupPreemption(
            self._world, self._decisions, self._budgets, self._binder, extenders, random
        )
        self._group_cycle = GroupCycle(self._world, self._queue, self._binder, status, preemption, self)

    async def start(self) -> None:
        """Begin; returns when pods and nodes are known."""
        await self._follow()
        self._tasks.essential(self._run(), "loop")

    async def look(self) -> None:
        """Know the cluster as `start` does, without deciding anything: only to explain.

        Raises ApiError for what may not be read.
        """
        for resource in (NODES, PODS, *RESOURCES):
            await self._client.list(resource, limit=1)
        await self._follow()
        try:
            await self._client.list(POD_GROUPS, limit=1)
        except ApiError as error:
            if error.code != 404:
                raise
        else:
            await self._cache.informer(POD_GROUPS).wait_synced()

    async def _follow(self) -> None:
        for resource in RESOURCES:
            self._cache.add(resource)
        self._cache.on(POD_DISRUPTION_BUDGETS, self._budgets.changed)
        self._feed.follow(self._cache)
        await self._cache.start()
        self._feed.follow_groups(self._cache)

    async def close(self) -> None:
        """End; bindings under way are cut off (and decided again by whoever comes next)."""
        await self._tasks.close()
        await self._cache.close()
        await asyncio.gather(*(reporter.close() for reporter in self._reporters.values()))
        await asyncio.gather(*(extender.close() for extender in self._extenders))

    @property
    def explainer(self) -> Explainer:
        """What tells why pods are where they are."""
        return Explainer(self._world, self._decisions, self._profiles, self._feed.read)

    def trace_of(self, uid: str) -> Trace | None:
        """What the last decision about a pod was made of, if that is remembered."""
        return self._decisions.trace_of(uid)

    async def _run(self) -> None:
        while True:
            batch = await self._queue.pop()
            profile = self._profiles[batch[0].template.scheduler_name]
            self._world.reserve_from(batch[0].priority)
            await self._schedule_all(profile, batch)
            await others(Work.SCHEDULING)  # let bindings and watches in between two batches

    async def _schedule_all(self, profile: Profile, batch: Iterable[PodFacts]) -> None:
        portions = Portions(Work.SCHEDULING)
        for pod in batch:
            await portions.next()
            if not self._queue.is_under_way(pod.uid):
                continue  # it has gone, or asks for something else by now
            try:
                await self._schedule(profile, pod)
            except SchedulingError as error:
                self._failed(pod, str(error))
            except Exception as error:  # a fault about one pod must not keep the others waiting
                log.exception("deciding on %s failed", pod.key)
                self._failed(pod, repr(error))

    def _failed(self, pod: PodFacts, why: str) -> None:
        """A decision came to nothing for a reason that is not the pod's: tell it, and try again."""
        self._queue.retry(pod.uid)
        self._released(self._take_back(pod))
        self._tell(pod, why, SCHEDULER_ERROR, nominated="")

    async def _schedule(self, profile: Profile, pod: PodFacts) -> None:
        if self.is_gated(profile, pod):
            return
        if GANGS in profile.plugins and group_key(pod.pod):
            await self._group_cycle.run(profile, pod)
            return
        if pod.template.trouble:
            promised = self._take_back(pod)
            self._queue.failed(pod.uid, self._decisions.key(profile, pod), (), frozenset())
            self._released(promised)
            self._tell(pod, pod.template.trouble, SCHEDULER_ERROR, nominated="")
            return
        promised = self._take_back(pod)  # what is promised to it is not in its own way
        try:
            node, trace = await self.decided(profile, pod)
            is_wanted = self._queue.is_under_way(pod.uid)
            if node and is_wanted:
                await self._binder.reserve(profile, pod, node, self._world)
        except BaseException:
            self._released(promised)
            raise
        if not is_wanted:
            self._released(promised)
            return
        if node:
            self._world.place(pod, node, is_assumed=True)
            if promised is not None and promised.node != node:
                self._released(promised)
            await self.confirm(profile, pod, node)
            return
        if promised is not None:
            self._world.place(pod, promised.node, is_nominated=True)
        if trace is None:
            trace = self.trace(profile, pod)
        else:
            self._decisions.keep(pod, trace)
        await self._not_placed(profile, pod, trace)

    async def confirm(self, profile: Profile, pod: PodFacts, node: str) -> None:
        """See `group_cycle.Host`."""
        self._queue.placed(pod.uid)
        self._feed.assumed(pod, node)
        await self._binder.room()
        self._tasks.spawn(self._binder.bind(profile, pod, node), f"bind {pod.key}")

    def trace(self, profile: Profile, pod: PodFacts) -> Trace:
        """See `group_cycle.Host`."""
        trace = self._decisions.evaluation(profile, pod).trace()
        self._decisions.keep(pod, trace)
        return trace

    def tell(self, pod: PodFacts, message: str, reason: str, nominated: str = "") -> None:
        """See `group_cycle.Host`."""
        self._tell(pod, message, reason, nominated=nominated)

    def make_room(
        self,
        profile: Profile,
        victims: Sequence[PodFacts],
        nodes: Iterable[str],
        by: Preemptor,
        then: Callable[[bool], None],
    ) -> None:
        """See `group_cycle.Host`."""

        async def evict() -> None:
            then(await self._evicted(profile, victims, nodes, by))

        self._tasks.spawn(evict(), f"preempt for {by.kind} {by.uid}")

    def is_wanted(self, uid: str) -> bool:
        """See `group_placing.Deciding`."""
        return self._queue.is_under_way(uid)

    async def decided(self, profile: Profile, pod: PodFacts) -> tuple[str, Trace | None]:
        """See `group_placing.Deciding`: without a node it has the trace if extenders had a say."""
        if self._extenders and self._consulting.interested(pod):
            return await self._consulting.choose(profile, pod)
        return self._decisions.choose(profile, pod), None

    def is_gated(self, profile: Profile, pod: PodFacts) -> bool:
        """See `group_cycle.Host`."""
        for plugin in profile.gates:
            if plugin.gate(pod, self._world):
                key = self._waiting_key(profile, pod)
                self._queue.failed(pod.uid, key, (plugin.name,), plugin.gate_changes, is_gated=True)
                return True
        return False

    async def _rescued(self, profile: Profile, pod: PodFacts) -> str:
        """What came of plugins' help for a pod that fits nowhere."""
        for plugin in profile.rescuers:
            try:
                work = plugin.post_filter(pod, self._world, self._client)
                text = await in_time(plugin, work, self._clock)
            except (ApiError, SchedulingError) as error:
                log.info("%s could not help %s: %s", plugin.name, pod.key, error)
                continue
            if text:
                return text
        return NO_CLAIMS

    async def _not_placed(self, profile: Profile, pod: PodFacts, trace: Trace) -> None:
        """See whether others can be evicted for the pod, tell it, and let it wait."""
        since = self._queue.changes
        if not trace.nodes:
            self._give_up(profile, pod, trace, since, NO_NODES)
            return
        trace = replace(trace, rescue=await self._rescued(profile, pod))
        why = ineligible(pod, trace, self._world) if profile.preempts else ""
        if why == TERMINATING:  # room is being made
            self._rest(profile, pod, trace, since)
            self._tell(pod, trace.message(why))
            return
        if not profile.preempts or why:
            self._give_up(profile, pod, trace, since, trace.message(why))
            return
        candidate, text = await self._evictor.find(profile, pod, trace, self._budgets)
        if candidate is None:
            self._give_up(profile, pod, trace, since, trace.message(text))
            return
        self._world.place(pod, candidate.node, is_nominated=True)
        self._tell(pod, trace.message(), nominated=candidate.node)
        self._tasks.spawn(self._make_room(profile, pod, trace, candidate, since), f"preempt for {pod.key}")

    def _give_up(self, profile: Profile, pod: PodFacts, trace: Trace, since: int, text: str) -> None:
        """It fits nowhere, so nothing is kept for it, whoever nominated it (KEP-5278); it waits."""
        promised = self._take_back(pod)
        self._rest(profile, pod, trace, since)
        self._released(promised)
        self._tell(pod, text, nominated="")

    def _take_back(self, pod: PodFacts) -> Placement | None:
        """What was promised to a pod, which is not any more."""
        return self._world.displace(pod.uid) if self._world.is_nominated(pod.uid) else None

    def _released(self, promised: Placement | None) -> None:
        """Others may have what was promised to a pod."""
        if promised is not None:
            pod = promised.pod
            self._queue.changed(Change(Kind.POD_GONE, {promised.node: None}, {pod.uid: pod}))

    async def _make_room(
        self, profile: Profile, pod: PodFacts, trace: Trace, candidate: Candidate, since: int
    ) -> None:
        """Evict the victims; the pod waits for their end, or is tried again if one could not be evicted."""
        by = Preemptor("pod", pod.uid, pod.priority, candidate.node)
        if await self._evicted(profile, candidate.victims, (candidate.node,), by):
            self._rest(profile, pod, trace, since)
        else:
            self._queue.retry(pod.uid)

    async def _evicted(
        self, profile: Profile, victims: Iterable[PodFacts], nodes: Iterable[str], by: Preemptor
    ) -> bool:
        """Evict pods; whether that went well."""
        try:
            await self._evictor.evict(victims, nodes, by, self._reporters[profile.name])
        except ApiError as error:
            log.info("making room for %s %s on %s failed: %s", by.kind, by.uid, by.place, error)
            return False
        except Exception:
            log.exception("making room for %s %s on %s failed", by.kind, by.uid, by.place)
            return False
        return True

    def _rest(self, profile: Profile, pod: PodFacts, trace: Trace, since: int) -> None:
        rejected_by, kinds = self.rejecting(profile, trace)
        key = self._waiting_key(profile, pod)
        if self._world.is_nominated(pod.uid):
            key = (key, pod.uid)  # what it waits for is its own
        self._queue.failed(pod.uid, key, rejected_by, kinds, since)

    def _waiting_key(self, profile: Profile, pod: PodFacts) -> Hashable:
        """Pods of equal key wait for the same."""
        return profile.name, pod.template, profile.waits_as(pod, self._world)

    def rejecting(self, profile: Profile, trace: Trace) -> tuple[tuple[str, ...], frozenset[Kind]]:
        """See `group_cycle.Host`."""
        rejected_by = trace.rejecting()
        kinds: frozenset[Kind] = frozenset({Kind.NODE}) if not rejected_by else frozenset()
        for name in rejected_by:
            plugin = profile.plugins.get(name)
            kinds |= plugin.changes if plugin is not None else frozenset(Kind)
        return rejected_by, kinds

    def _is_concerned(self, pod: PodFacts, rejected_by: Iterable[str], change: Change) -> bool:
        """See `queue.Concern`."""
        plugins = self._profiles[pod.template.scheduler_name].plugins
        names = tuple(rejected_by)
        asked = [plugins[name] for name in names if name in plugins]
        if len(asked) < len(names) or not asked:
            return True  # of extenders nobody knows what they wait for
        asked = [plugin for plugin in asked if change.kind in plugin.changes]
        # What is promised to the pod is not in its own way.
        own = (pod.uid,) if self._world.is_nominated(pod.uid) else ()
        with self._world.without(own):
            return any(plugin.concerned(pod, change, self._world) for plugin in asked)

    def bound(self, pod: PodFacts, node: str) -> None:
        """See `binding.Outcome`."""
        self._queue.remove(pod.uid)
        self._reporters[pod.template.scheduler_name].scheduled(pod, node)

    def held_up(self, pod: PodFacts, node: str) -> None:
        """See `binding.Outcome`."""
        self._reporters[pod.template.scheduler_name].held_up(pod, node)

    def is_there(self, pod: PodFacts) -> bool:
        """See `binding.Outcome`."""
        current = self._current(pod)
        return current is not None and not is_deleting(current)

    def not_bound(self, pod: PodFacts, why: str) -> None:
        """Undo an assumed placement and try again later, unless the pod is gone or placed by another.

        What the watch has confirmed meanwhile (this binding, or another's) is no assumption any more.
        """
        placed = self._world.placed.get(pod.uid)
        if placed is not None and placed.is_assumed and placed.pod is pod:
            self._world.displace(pod.uid)
            self._queue.changed(Change(Kind.POD_GONE, {placed.node: None}, {pod.uid: pod}))
            if self._world.devices.classes:
                self._queue.changed(Change(Kind.DEVICES, {"": None}, {}))
        current = self._current(pod)
        if current is not None and self._feed.is_ours(current):
            if why:
                self._tell(pod, why, SCHEDULER_ERROR, nominated="")
            self._queue.retry(pod.uid, self._feed.read(current))
        else:
            self._queue.remove(pod.uid)

    def _find_node(self, name: str) -> Object | None:
        return self._cache.get(NODES, name)

    def _current(self, pod: PodFacts) -> Object | None:
        """The pod as it was last seen; None if it is gone."""
        found = self._cache.get(PODS, pod.key)
        return found if found is not None and uid_of(found) == pod.uid else None

    def _tell(
        self, pod: PodFacts, message: str, reason: str = "Unschedulable", nominated: str | None = None
    ) -> None:
        reporter = self._reporters[pod.template.scheduler_name]
        self._tasks.spawn(reporter.failed(pod, message, reason, nominated), f"report {pod.key}")
