"""The controller of StatefulSets: carries out what was planned, and says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers import history
from wherry.controllers.base import Controller, Environment, is_namespace_terminating, slow_start
from wherry.controllers.ownership import (
    candidates_for,
    claim,
    index_claims,
    owner_key,
    selector_of,
)
from wherry.controllers.statefulset.identity import (
    is_member,
    make_pod,
    mended,
    ordinal_of,
    pod_name,
    revision_of_pod,
)
from wherry.controllers.statefulset.plan import (
    Create,
    Delete,
    MakeClaims,
    Mend,
    Plan,
    Settle,
    Step,
    View,
    plan,
)
from wherry.controllers.statefulset.status import plan_status
from wherry.controllers.statefulset.storage import claim_names, make_claims
from wherry.controllers.workload import REST_PER_POD_S, min_ready_s, next_available_s
from wherry.kit.portions import Work, others
from wherry.objects.errors import ApiError, conflict
from wherry.objects.meta import Object, is_deleting, key_of, name_of, namespace_of
from wherry.objects.selectors import Selector

COLLISIONS_LIMIT = 100


def claim_gone(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A claim that is gone concerns the set a pod of which may be waiting for that.

    Its name is the template's, the set's and the ordinal, with dashes between and perhaps within them.
    """
    if new is not None or old is None or (ordinal := ordinal_of(old)) < 0:
        return
    names = name_of(old).split("-")[1:-1]
    for first in range(len(names)):
        key = f"{namespace_of(old)}/{'-'.join(names[first:])}"
        stateful_set = cache.get(STATEFUL_SETS, key)
        if stateful_set is not None and name_of(old) in claim_names(stateful_set, ordinal).values():
            yield key


@dataclass(frozen=True, slots=True)
class Revisions:
    """What a set was rolled out as (`current`), what it is to become (`update`), and all it ever was."""

    current: Object
    update: Object
    all: list[Object]
    collisions: int


class StatefulSets(Controller):
    """The controller of StatefulSets."""

    name = "statefulset"
    account = "statefulset-controller"
    primary = STATEFUL_SETS
    rest_per_object_s = REST_PER_POD_S
    watches: ClassVar = {
        PODS: owner_key(STATEFUL_SETS),
        CONTROLLER_REVISIONS: owner_key(STATEFUL_SETS),
        PERSISTENT_VOLUME_CLAIMS: claim_gone,
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        index_claims(self, PODS, CONTROLLER_REVISIONS)

    async def sync(self, key: str) -> float | None:
        """Take the next steps, report, and delete revisions nobody needs."""
        stateful_set = self.cache.get(STATEFUL_SETS, key)
        if stateful_set is None:
            self.rests.note(key, 0)
            return None
        selector = selector_of(stateful_set)
        revisions = await self._revisions(stateful_set, selector)
        pods = await claim(
            self,
            stateful_set,
            PODS,
            selector,
            candidates_for(self.cache, PODS, stateful_set),
            partial(is_member, stateful_set),
        )
        if revisions is None:
            return None
        failure = await self._roll(stateful_set, pods, revisions)
        await self._prune(stateful_set, pods, revisions)
        if failure is not None:
            raise failure
        return next_available_s(pods, min_ready_s(stateful_set), self.clock.now())

    async def _roll(
        self, stateful_set: Object, pods: list[Object], revisions: Revisions
    ) -> BaseException | None:
        """Do what is to be done and report it; what went wrong, if anything."""
        namespace = namespace_of(stateful_set)

        def find_claim(name: str) -> Object | None:
            return self.cache.get(PERSISTENT_VOLUME_CLAIMS, f"{namespace}/{name}")

        await others(Work.CONTROLLING)  # of many pods each of these steps takes a while
        view = View(stateful_set, pods, find_claim, self.clock.now())
        current, update = name_of(revisions.current), name_of(revisions.update)
        planned = Plan() if is_deleting(stateful_set) else plan(view, current, update)
        failure = await self._carry_out(stateful_set, planned, revisions, view.is_ordered)
        outdated = planned.outdated if failure is None else 0
        await others(Work.CONTROLLING)
        status = plan_status(view, pods, current, update, revisions.collisions, outdated)
        await self.write_status(stateful_set, status)
        return failure

    # Revisions

    async def _revisions(self, stateful_set: Object, selector: Selector) -> Revisions | None:
        """The set's revisions, that of its present template among them; None for one that goes without."""
        candidates = candidates_for(self.cache, CONTROLLER_REVISIONS, stateful_set)
        known = history.in_order(await claim(self, stateful_set, CONTROLLER_REVISIONS, selector, candidates))
        collisions = int((stateful_set.get("status") or {}).get("collisionCount") or 0)
        if is_deleting(stateful_set):
            if not known:
                return None
            update: Object | None = known[-1]
        else:
            update = await self._present_revision(stateful_set, known)
        while update is None:
            update = await history.create_or_find(
                self, stateful_set, _new_revision(stateful_set, known, collisions)
            )
            if update is None and (collisions := collisions + 1) > COLLISIONS_LIMIT:
                why = "too many objects with other data have the names of its revisions"
                raise conflict(STATEFUL_SETS.plural, STATEFUL_SETS.group, name_of(stateful_set), why)
        named = (stateful_set.get("status") or {}).get("currentRevision")
        current = next((revision for revision in known if name_of(revision) == named), update)
        return Revisions(current, update, known, collisions)

    async def _present_revision(self, stateful_set: Object, known: Sequence[Object]) -> Object | None:
        """The revision of the present template if there is one; it becomes the latest (a rollback)."""
        data = history.revision_data(stateful_set)
        for revision in reversed(known):
            if history.is_same_data(revision.get("data") or {}, data):
                if revision is known[-1]:
                    return revision
                return await history.renumber(self, stateful_set, revision, history.next_number(known))
        return None

    async def _prune(self, stateful_set: Object, pods: Iterable[Object], revisions: Revisions) -> None:
        live = {name_of(revisions.current), name_of(revisions.update), *map(revision_of_pod, pods)}
        limit = stateful_set["spec"].get("revisionHistoryLimit")
        for revision in history.surplus(revisions.all, live, 10 if limit is None else int(limit)):
            await self.delete(key_of(stateful_set), CONTROLLER_REVISIONS, revision)

    # Steps

    async def _carry_out(
        self, stateful_set: Object, planned: Plan, revisions: Revisions, is_ordered: bool
    ) -> BaseException | None:
        """Do the phases one after the other, up to the first failure, which is given back."""
        for steps in planned.phases:
            work = [partial(self._do, stateful_set, step, revisions) for step in steps]
            if is_ordered:
                failures = await _in_turn(work)
            else:
                _, failures = await slow_start(work)
            if failures:
                return failures[0]
        return None

    async def _do(self, stateful_set: Object, step: Step, revisions: Revisions) -> None:
        match step:
            case Create(ordinal, is_current):
                made_of = revisions.current if is_current else revisions.update
                await self._create(stateful_set, ordinal, made_of)
            case MakeClaims(pod):
                await self._make_claims(stateful_set, ordinal_of(pod))
            case Mend(pod):
                await self._mend(stateful_set, pod)
            case Settle(claims):
                for each in claims:
                    await self.update(key_of(stateful_set), PERSISTENT_VOLUME_CLAIMS, each)
            case Delete(pod):
                await self._delete(stateful_set, pod)

    async def _create(self, stateful_set: Object, ordinal: int, revision: Object) -> None:
        pod = make_pod(stateful_set, history.template_of(revision), ordinal, name_of(revision))
        try:
            await self._make_claims(stateful_set, ordinal)
            await self.create(key_of(stateful_set), PODS, pod)
        except ApiError as error:
            if is_namespace_terminating(error):
                return  # whatever would be created goes with the namespace
            self._say_failed(stateful_set, "create", name_of(pod), error)
            raise
        self._say_done(stateful_set, "create", name_of(pod))

    async def _make_claims(self, stateful_set: Object, ordinal: int) -> None:
        for wanted in make_claims(stateful_set, ordinal):
            found = self.cache.get(PERSISTENT_VOLUME_CLAIMS, key_of(wanted))
            if found is None:
                await self._make_claim(stateful_set, wanted, pod_name(stateful_set, ordinal))
            elif is_deleting(found):
                raise ApiError(409, "Conflict", f"pvc {name_of(wanted)} is being deleted")

    async def _make_claim(self, stateful_set: Object, wanted: Object, pod: str) -> None:
        claimed, owner = name_of(wanted), name_of(stateful_set)
        try:
            await self.create(key_of(stateful_set), PERSISTENT_VOLUME_CLAIMS, wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists" and not is_namespace_terminating(error):
                text = f"create Claim {claimed} for Pod {pod} in StatefulSet {owner} failed error: "
                text += error.message
                self.events.event(stateful_set, WARNING, "FailedCreate", text)
            raise
        text = f"create Claim {claimed} Pod {pod} in StatefulSet {owner} success"
        self.events.event(stateful_set, NORMAL, "SuccessfulCreate", text)

    async def _mend(self, stateful_set: Object, pod: Object) -> None:
        try:
            await self._make_claims(stateful_set, ordinal_of(pod))
            await self.update(key_of(stateful_set), PODS, mended(stateful_set, pod))
        except ApiError as error:
            self._say_failed(stateful_set, "update", name_of(pod), error)
            raise
        self._say_done(stateful_set, "update", name_of(pod))

    async def _delete(self, stateful_set: Object, pod: Object) -> None:
        try:
            was_there = await self.delete(key_of(stateful_set), PODS, pod)
        except ApiError as error:
            self._say_failed(stateful_set, "delete", name_of(pod), error)
            raise
        if was_there:
            self._say_done(stateful_set, "delete", name_of(pod))

    def _say_done(self, stateful_set: Object, verb: str, pod: str) -> None:
        text = f"{verb} Pod {pod} in StatefulSet {name_of(stateful_set)} successful"
        self.events.event(stateful_set, NORMAL, f"Successful{verb.title()}", text)

    def _say_failed(self, stateful_set: Object, verb: str, pod: str, error: ApiError) -> None:
        text = f"{verb} Pod {pod} in StatefulSet {name_of(stateful_set)} failed error: {error.message}"
        self.events.event(stateful_set, WARNING, f"Failed{verb.title()}", text)


def _new_revision(stateful_set: Object, known: Sequence[Object], collisions: int) -> Object:
    data = history.revision_data(stateful_set)
    name_hash = history.data_hash(data, collisions)
    labels = {**history.template_labels(stateful_set), history.HASH_LABEL: name_hash}
    number = history.next_number(known)
    return history.make_revision(stateful_set, STATEFUL_SETS, number, name_hash, labels, data)


async def _in_turn(work: Iterable[Callable[[], Awaitable[None]]]) -> list[BaseException]:
    """Do one after the other, up to the first that fails; what it raised."""
    for start in work:
        try:
            await start()
        except ApiError as error:
            return [error]
    return []
