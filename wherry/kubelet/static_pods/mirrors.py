"""Mirror pods: what the API server shows of static pods.

Source: pkg/kubelet/pod/mirror_client.go and tryReconcileMirrorPods of pkg/kubelet/kubelet.go. A mirror pod is
a copy without power: deleting it changes nothing of what runs, and it is made again; who changes the manifest
gets another. One whose static pod is gone is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.pod import HASH
from wherry.kubelet.status_writer import StatusWriter
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    annotations_of,
    is_deleting,
    key_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)

log = logging.getLogger(__name__)

LONGEST_RETRY_S = 60.0


def is_mirror(pod: Object) -> bool:
    """Whether a pod of the API server only shows a static one (upstream's IsMirrorPod)."""
    return MIRROR in annotations_of(pod)


def mirror_of(pod: Object, node: Object) -> Object:
    """The mirror pod to create for a static one on `node`, which owns it."""
    meta = metadata(pod)
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": name_of(node),
        "uid": uid_of(node),
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **{key: value for key, value in meta.items() if key != "uid"},
            "annotations": {**meta["annotations"], MIRROR: meta["annotations"][HASH]},
            "ownerReferences": [owner],
        },
        "spec": pod["spec"],
    }


def shows(mirror: Object, pod: Object) -> bool:
    """Whether `mirror` is the one of `pod` as its manifest is now."""
    return annotations_of(mirror).get(MIRROR) == annotations_of(pod)[HASH]


class Mirrors:
    """Keeps one mirror pod for each static pod; `node` gives the Node as registered, None before that.

    Nothing is written before `synced`: what is there already must be known.
    """

    def __init__(
        self, client: Client, clock: Clock, statuses: StatusWriter, node: Callable[[], Object | None]
    ) -> None:
        self._client = client
        self._clock = clock
        self._statuses = statuses
        self._node = node
        self._wanted: dict[str, Object] = {}
        self._there: dict[str, Object] = {}
        self._repeaters: dict[str, Repeater] = {}
        self._is_synced = False
        self._is_complete = False
        self._is_closed = False
        self._tasks = Tasks("mirror pods")

    def want(self, pod: Object) -> None:
        """The static pod is on this node."""
        key = key_of(pod)
        self._wanted[key] = pod
        self._tell(key)
        self._check(key)

    def drop(self, key: str) -> None:
        """No static pod of that namespace and name is on this node any more."""
        self._wanted.pop(key, None)
        self._check(key)
        self._forget(key)

    def changed(self, old: Object | None, new: Object | None) -> None:
        """The API server shows another mirror pod."""
        pod = new or old
        if pod is None:
            return
        key = key_of(pod)
        if new is not None:
            self._there[key] = new
        else:
            self._there.pop(key, None)
        self._tell(key)
        if self._forget(key):
            return
        if new is None or old is None or uid_of(old) != uid_of(new) or is_deleting(new):
            self._check(key)

    def synced(self) -> None:
        """The API server's pods and the node are known."""
        self._is_synced = True
        self._check_all()

    def complete(self) -> None:
        """All static pods are known: mirrors of others are deleted from now on."""
        self._is_complete = True
        self._check_all()

    async def close(self) -> None:
        """Write no more, whatever is still heard of pods."""
        self._is_closed = True
        for repeater in self._repeaters.values():
            repeater.stop()
        self._repeaters.clear()
        await self._tasks.close()

    def _tell(self, key: str) -> None:
        """Let the status of the static pod go to its mirror, if there is one."""
        pod, mirror = self._wanted.get(key), self._there.get(key)
        if pod is None:
            return
        is_its = mirror is not None and shows(mirror, pod) and not is_deleting(mirror)
        self._statuses.mirrored(uid_of(pod), mirror if is_its else None)

    def _forget(self, key: str) -> bool:
        """Give up what is kept for a name nothing has any more; whether nothing has it."""
        if key in self._wanted or key in self._there:
            return False
        repeater = self._repeaters.pop(key, None)
        if repeater is not None:
            repeater.stop()
        return True

    def _check_all(self) -> None:
        for key in {*self._wanted, *self._there}:
            self._check(key)

    def _check(self, key: str) -> None:
        if self._is_closed:
            return
        repeater = self._repeaters.get(key)
        if repeater is None:
            repeater = self._repeaters[key] = Repeater(
                f"mirror pod {key}",
                partial(self._reconcile, key),
                self._tasks,
                self._clock,
                longest_s=LONGEST_RETRY_S,
                expected=(ApiError, OSError),
            )
        repeater.hurry()

    async def _reconcile(self, key: str) -> None:
        """Have the right mirror pod there, or none. Raises ApiError."""
        if not self._is_synced:
            return
        pod, mirror = self._wanted.get(key), self._there.get(key)
        if pod is None and not self._is_complete:
            return
        if mirror is not None and (pod is None or is_deleting(mirror) or not shows(mirror, pod)):
            log.info(
                "mirror pod %s is deleted: its static pod is %s", key, "gone" if pod is None else "another"
            )
            await self._delete(mirror)
            mirror = None
        node = self._node()
        if pod is not None and mirror is None and node is not None and not is_deleting(node):
            await self._create(pod, node)

    async def _delete(self, mirror: Object) -> None:
        try:
            await self._client.delete(
                PODS, name_of(mirror), namespace_of(mirror), grace_period_s=0, uid=uid_of(mirror)
            )
        except ApiError as error:
            if error.code != 404 and not (error.code == 409 and error.reason == "Conflict"):
                raise

    async def _create(self, pod: Object, node: Object) -> None:
        try:
            await self._client.create(PODS, mirror_of(pod, node))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            found = await self._client.get(PODS, name_of(pod), namespace_of(pod))
            if not is_mirror(found) or not shows(found, pod):
                raise
