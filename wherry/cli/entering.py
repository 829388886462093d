"""Which container a command means to enter, on which node of this machine, and whether one may.

Which one it is, the runtime says by the labels that the kubelet gave it (as `kubelet/server/containers`
asks), not the pod's status: whoever may write that could name another pod's container.

Only this machine's root enters containers past the API server; that the API would let them in is asked all
the same, so that a kubeconfig with fewer rights is not a way around these.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherry.cli.asking import access, ask
from wherry.cli.copying import Owner
from wherry.cli.failures import FAILED, NOT_PERMITTED, Failure
from wherry.cli.selection import asked, look_for
from wherry.cluster.advice import as_root
from wherry.cluster.lifecycle import Lifecycle
from wherry.cluster.node import Node
from wherry.kit.cgroups import cgroup_directories, processes_in
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.labels import POD_NAME, POD_NAMESPACE, POD_UID
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.client.api import Client

NAMESPACE = "k8s.io"
"""containerd's namespace of what CRI makes, and so the directory of runc's state."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What a process of a container sees: its root, by a descriptor that stays what it is, and who it is."""

    root: Path
    owner: Owner


@dataclass(frozen=True, slots=True)
class Entry:
    """A running container of this machine."""

    pod: Object
    container: str
    container_id: str
    uid: str
    """The pod's, as the node knows it: for a static pod another than the API server's."""
    node: Node

    @property
    def key(self) -> str:
        """How it is called in messages."""
        return (
            f"{self.pod['metadata']['namespace']}/{self.pod['metadata']['name']}, container {self.container}"
        )

    @contextmanager
    def inside(self) -> Iterator[Inside]:
        """What the process sees that runs longest in it. Raises Failure when there is none."""
        processes = self._processes()
        if not processes:
            raise Failure(f"{self.key}: it has no process any more", FAILED)
        try:
            with seen_by(min(processes), self._processes) as inside:
                yield inside
        except ProcessLookupError:
            raise Failure(
                f"{self.key}: its process {min(processes)} ended meanwhile; run it again", FAILED
            ) from None

    def _processes(self) -> Set[int]:
        root = self.node.names.cgroup_root
        for level in (root, f"{root}/burstable", f"{root}/besteffort"):
            if cgroup_directories(own := f"{level}/pod{self.uid}/{self.container_id}"):
                return processes_in(own)
        return frozenset()


@contextmanager
def seen_by(process: int, members: Callable[[], Set[int]], proc: Path = Path("/proc")) -> Iterator[Inside]:
    """What a process of `members`, those of a container, sees. Raises ProcessLookupError when it ended.

    Its number may belong to a process of the machine by now. The directory in /proc is of one process,
    whoever has its number later: opened before members are asked, it is of a member, or of a process that
    ended and shows nothing any more.
    """
    with _held(str(proc / str(process))) as own:
        if process not in members():
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        told = os.fstat(own)
        with _held("root", own) as root:  # after the owner, which is root's once the process ended
            yield Inside(Path(f"/proc/self/fd/{root}"), Owner(told.st_uid, told.st_gid))


@contextmanager
def _held(path: str, dir_fd: int | None = None) -> Iterator[int]:
    """A directory of /proc. Raises ProcessLookupError when its process ended."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
    except FileNotFoundError as error:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def find_entry(
    pod: str, container: str, namespace: str, name: str | None, kubeconfig: Path | None, what: str
) -> Entry:
    """The container to enter, for `what` ("exec --user"). Raises Failure."""
    if os.geteuid() != 0:
        raise Failure(
            f"{what} enters containers as this machine's root; run it again {as_root()}", NOT_PERMITTED
        )
    at = access(kubeconfig, name)
    try:
        found = ask(at, lambda client: _allowed_pod(client, pod, namespace))
    except ApiError as error:
        raise Failure(error.message, FAILED) from None
    which = pick_container(found, container)
    node = _node_of(found, look_for(asked(name).name))
    run = running(_containers(node, found), found, which)
    return Entry(found, which, run.id, run.labels[POD_UID], node)


def pick_container(pod: Object, wanted: str) -> str:
    """The container that is meant: the one named, else kubectl's default one. Raises Failure."""
    spec: Any = pod.get("spec") or {}
    names = [
        c["name"]
        for kind in ("containers", "initContainers", "ephemeralContainers")
        for c in spec.get(kind) or ()
    ]
    annotations = pod["metadata"].get("annotations") or {}
    chosen = wanted or annotations.get("kubectl.kubernetes.io/default-container") or names[0]
    if chosen not in names:
        raise Failure(
            f"pod {pod['metadata']['name']} has no container {chosen!r}; it has: {', '.join(names)}", FAILED
        )
    return str(chosen)


def running(containers: Sequence[Container], pod: Object, container: str) -> Container:
    """The run of a pod's container that goes on, of what the runtime has. Raises Failure when none does."""
    meta = pod["metadata"]
    uids = _uids(pod)
    for one in sorted(containers, key=lambda run: (run.attempt, run.created), reverse=True):
        labels = one.labels
        is_own = (labels.get(POD_NAMESPACE), labels.get(POD_NAME)) == (meta["namespace"], meta["name"])
        is_own = is_own and labels.get(POD_UID) in uids
        if is_own and one.name == container and one.phase is Phase.RUNNING:
            return one
    raise Failure(
        f"container {container} of pod {meta['name']} does not run; see: wherry why pod {meta['name']} "
        f"-n {meta['namespace']}",
        FAILED,
    )


def _uids(pod: Object) -> list[str]:
    """By which uids a node may know a pod: its own, or for a mirror pod that of the static pod."""
    from wherry.api.core.pod_spec.annotations import MIRROR

    meta = pod["metadata"]
    mirrored = (meta.get("annotations") or {}).get(MIRROR)
    return [str(meta["uid"]), *([str(mirrored)] if mirrored else [])]


def _containers(node: Node, pod: Object) -> list[Container]:
    """What the node's runtime has of a pod. Raises Failure."""
    from wherry.kit.clock import SystemClock
    from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
    from wherry.kubelet.runtimes.failures import RuntimeFailure

    async def ask_runtime() -> list[Container]:
        runtime = ContainerdRuntime(node.containerd.socket, SystemClock())
        try:
            return [one for uid in _uids(pod) for one in await runtime.containers(uid)]
        finally:
            await runtime.close()

    try:
        return asyncio.run(ask_runtime())
    except (RuntimeFailure, TimeoutError) as error:
        raise Failure(f"the node's containerd does not say what runs: {error}", FAILED) from None


def _node_of(pod: Object, lifecycle: Lifecycle) -> Node:
    """The pod's node, which has to be one of this machine's. Raises Failure."""
    node_name = pod["spec"].get("nodeName") or ""
    cluster = lifecycle.config.name
    node = Node.of(cluster, node_name, lifecycle.paths) if node_name else None
    if node is None or not node.containerd.socket.exists():
        raise Failure(
            f"pod {pod['metadata']['name']} is on node {node_name or '(none yet)'}, which is not one this "
            f"machine "
            f"runs containers of for cluster {cluster!r}; run it on that node's machine",
            FAILED,
        )
    return node


async def _allowed_pod(client: Client, name: str, namespace: str) -> Object:
    from wherry.api.authorization.self_subject_access_reviews import SELF_SUBJECT_ACCESS_REVIEWS
    from wherry.api.core.pods import PODS

    review = await client.create(
        SELF_SUBJECT_ACCESS_REVIEWS,
        {
            "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
            "spec": {
                "resourceAttributes": {
                    "verb": "create",
                    "resource": "pods",
                    "subresource": "exec",
                    "namespace": namespace,
                    "name": name,
                }
            },
        },
    )
    if not (review.get("status") or {}).get("allowed"):
        raise Failure(f"you may not exec into pods of namespace {namespace} (create pods/exec)", FAILED)
    return await client.get(PODS, name, namespace)
