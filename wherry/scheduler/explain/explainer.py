"""Answers why a pod is where it is, or nowhere, and where one would go that is not there (`Explainer`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wherry.kit.portions import Work, others
from wherry.objects.meta import Object, uid_of
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.explain.changes import Changes
from wherry.scheduler.explain.status import decision_status
from wherry.scheduler.facts import DEFAULT_SCHEDULER, PodFacts
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Trace
from wherry.scheduler.world import World

RECORDED, EVALUATED = "Recorded", "Evaluated"
"""What a status is based on: the decision as it was made, or a look at the cluster as it is now."""
NOT_OURS = "waits for the scheduler {name}, which does not run here"
GATED = "Scheduling is blocked due to non-empty scheduling gates"
"""What upstream's PodScheduled condition says of such a pod."""


class Explainer:
    """Explains the decisions of one scheduler; it changes nothing."""

    def __init__(
        self,
        world: World,
        decisions: Decisions,
        profiles: Mapping[str, Profile],
        read: Callable[[Object], PodFacts],
    ) -> None:
        self._world = world
        self._decisions = decisions
        self._profiles = profiles
        self._read = read

    async def decision(self, pod: Object) -> Object:
        """The status of the decision about a pod, as the API server has it."""
        trace = self._decisions.trace_of(uid_of(pod))
        if trace is None:
            return await self.what_if(pod)
        node = (pod.get("spec") or {}).get("nodeName") or ""
        status = {**decision_status(trace), "basis": RECORDED}
        if node and node != trace.chosen:  # another's doing
            status["nodeName"] = node
        return await self._completed(pod, status, is_placed=bool(node or trace.chosen))

    async def what_if(self, pod: Object) -> Object:
        """The status of the decision about a pod as it would be made now."""
        await others(Work.REQUESTS)  # whoever asks has just read and judged the pod
        spec = pod.get("spec") or {}
        node = spec.get("nodeName") or ""
        free = {**pod, "spec": {name: value for name, value in spec.items() if name != "nodeName"}}
        facts = self._read(free)
        profile = self._profiles.get(facts.template.scheduler_name)
        if profile is None:
            message = NOT_OURS.format(name=facts.template.scheduler_name)
            return {"basis": EVALUATED, "nodeName": node, "message": message}
        if facts.template.trouble:
            return {"basis": EVALUATED, "nodeName": node, "message": facts.template.trouble}
        await others(Work.REQUESTS)
        try:
            trace = self._evaluated(profile, facts)
        except SchedulingError as error:  # a selector that cannot be evaluated, say
            return {"basis": EVALUATED, "nodeName": node, "message": str(error)}
        await others(Work.REQUESTS)  # with thousands of nodes each of these takes some milliseconds
        status = {**decision_status(trace), "basis": EVALUATED}
        await others(Work.REQUESTS)
        if node:
            status["nodeName"] = node
        if spec.get("schedulingGates"):
            names = ", ".join(gate["name"] for gate in spec["schedulingGates"])
            status |= {"message": f"{GATED}: {names}", "nodeName": ""}
        elif not node and (why := self._gate(profile, facts)):
            status |= {"message": why, "nodeName": ""}
        return await self._completed(free, status, is_placed=bool(trace.chosen))

    def _gate(self, profile: Profile, pod: PodFacts) -> str:
        """Why the pod is not tried at all yet, "" if it is."""
        return next((why for plugin in profile.gates if (why := plugin.gate(pod, self._world))), "")

    def _evaluated(self, profile: Profile, pod: PodFacts) -> Trace:
        """Where the pod would go now, were it not placed; of nodes that are as good, the first by name."""
        world = self._world
        aside = [one.pod.uid for one in world.nominated_below(pod.priority) if one.pod.uid != pod.uid]
        own = [pod.uid] if pod.uid in world.placed else []
        with world.what_if((*own, *aside)):
            evaluation = Evaluation(profile, pod, world)
            best = [world.nodes.names[row] for row in evaluation.all_best()]
            return evaluation.trace(min(best, default=""))

    async def _completed(self, pod: Object, status: Object, *, is_placed: bool) -> Object:
        spec = pod.get("spec") or {}
        status["schedulerName"] = spec.get("schedulerName") or DEFAULT_SCHEDULER
        if nominated := (pod.get("status") or {}).get("nominatedNodeName"):
            status["nominatedNodeName"] = nominated
        facts = self._read(pod)
        profile = self._profiles.get(facts.template.scheduler_name)
        if not is_placed and profile is not None and not facts.template.trouble:
            try:
                search = Changes(self._world, profile, facts)
                changes = await search.find()
            except SchedulingError as error:
                status.setdefault("message", str(error))
            else:
                status |= {"fitsNow": True} if changes is None else {"changes": changes}
                if search.stopped:
                    status["changesNote"] = search.stopped
        return status
