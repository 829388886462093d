"""Which container a command means to enter, on which node of this machine, and whether one may.

Only this machine's root enters containers past the API server; that the API would let them in is asked all
the same, so that a kubeconfig with fewer rights is not a way around these.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Set
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
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.client.api import Client

_ID = re.compile(r"[0-9a-f]{64}")
NAMESPACE = "k8s.io"
"""containerd's namespace of what CRI makes."""


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
            for directory in cgroup_directories(level):
                for cgroup in directory.glob(f"pod*/{self.container_id}"):
                    if found := processes_in(f"{level}/{cgroup.parent.name}/{cgroup.name}"):
                        return found
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
    return Entry(found, which, running_id(found, which), _node_of(found, look_for(asked(name).name)))


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


def running_id(pod: Object, container: str) -> str:
    """The id the runtime knows it by. Raises Failure when it does not run."""
    status: Any = pod.get("status") or {}
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(kind) or ():
            if one["name"] == container and (one.get("state") or {}).get("running"):
                found = str(one["containerID"]).partition("://")[2]
                if _ID.fullmatch(found):
                    return found
    name, where = pod["metadata"]["name"], pod["metadata"]["namespace"]
    raise Failure(
        f"container {container} of pod {name} does not run; see: wherry why pod {name} -n {where}", FAILED
    )


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
