"""The revisions of a DaemonSet: that of its present template, and those before (constructHistory)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.core.pods import PODS
from wherry.controllers import history
from wherry.controllers.base import Controller
from wherry.controllers.hashing import template_hash
from wherry.controllers.history import POD_REVISION_LABEL
from wherry.controllers.ownership import candidates_for, claim
from wherry.objects.errors import conflict
from wherry.objects.meta import Object, key_of, labels_of, name_of, namespace_of, uid_of
from wherry.objects.selectors import Selector


class Revisions:
    """A DaemonSet's revisions, for one sync."""

    def __init__(self, controller: Controller, daemon_set: Object) -> None:
        self._controller = controller
        self._daemon_set = daemon_set
        self._old: list[Object] = []
        self.hash = ""
        """The hash of the present revision, which its pods carry."""
        self.has_moved_pods = False
        """Whether pods were given another revision of the same template."""

    async def settle(self, selector: Selector) -> Revisions:
        """Find, make or renumber the revision of the present template. Raises ApiError."""
        owner, controller = self._daemon_set, self._controller
        candidates = candidates_for(controller.cache, CONTROLLER_REVISIONS, owner)
        known = await claim(controller, owner, CONTROLLER_REVISIONS, selector, candidates)
        known = [await self._labelled(revision) for revision in known]
        data = history.revision_data(owner)
        same: list[Object] = []
        for revision in known:
            is_same = history.is_same_data(revision.get("data") or {}, data)
            (same if is_same else self._old).append(revision)
        number = history.next_number(self._old)
        if same:
            present = history.in_order(same)[-1]
            await self._merge(present, [revision for revision in same if revision is not present])
            if history.number_of(present) < number:
                await history.renumber(controller, owner, present, number)
        else:
            present = await self._make(number, data)
        self.hash = labels_of(present).get(POD_REVISION_LABEL) or name_of(present)
        return self

    async def prune(self, live: Mapping[str, int]) -> None:
        """Delete the oldest revisions beyond the limit that no pod is of; `live` counts pods by hash."""
        limit = self._daemon_set["spec"].get("revisionHistoryLimit")
        surplus = len(self._old) - (10 if limit is None else int(limit))
        for revision in history.in_order(self._old):
            if surplus <= 0:
                return
            if not live.get(labels_of(revision).get(POD_REVISION_LABEL, "")):
                await self._delete(revision)
                surplus -= 1

    async def _labelled(self, revision: Object) -> Object:
        """The revision with its hash; those of long ago have none: their names stand for it."""
        if labels_of(revision).get(POD_REVISION_LABEL):
            return revision
        patch: Object = {"metadata": {"labels": {POD_REVISION_LABEL: name_of(revision)}}}
        key = key_of(self._daemon_set)
        return await self._controller.patch(key, CONTROLLER_REVISIONS, revision, patch)

    async def _make(self, number: int, data: Object) -> Object:
        owner = self._daemon_set
        status = owner.get("status") or {}
        name_hash = template_hash(owner["spec"].get("template") or {}, status.get("collisionCount"))
        labels = {**history.template_labels(owner), POD_REVISION_LABEL: name_hash}
        wanted = history.make_revision(owner, DAEMON_SETS, number, name_hash, labels, data)
        made = await history.create_or_find(self._controller, owner, wanted)
        if made is not None:
            return made
        collisions = int(status.get("collisionCount") or 0) + 1
        await self._controller.write_status(owner, {**status, "collisionCount": collisions})
        why = f"its revision's name {name_of(wanted)} is taken; it gets another"
        raise conflict(DAEMON_SETS.plural, DAEMON_SETS.group, name_of(owner), why)

    async def _merge(self, kept: Object, doubles: Sequence[Object]) -> None:
        """Of several revisions of one template one is kept, and pods of the others are of that one."""
        wanted = labels_of(kept).get(POD_REVISION_LABEL)
        for double in doubles:
            found = labels_of(double).get(POD_REVISION_LABEL)
            for pod in self._pods() if found != wanted else ():
                if labels_of(pod).get(POD_REVISION_LABEL) == found:
                    patch: Object = {"metadata": {"labels": {POD_REVISION_LABEL: wanted}}}
                    await self._controller.patch(key_of(self._daemon_set), PODS, pod, patch)
                    self.has_moved_pods = True
            await self._delete(double)

    def _pods(self) -> Iterable[Object]:
        return self._controller.cache.owned(PODS, uid_of(self._daemon_set), namespace_of(self._daemon_set))

    async def _delete(self, revision: Object) -> None:
        await self._controller.delete(key_of(self._daemon_set), CONTROLLER_REVISIONS, revision)
