"""What is left on the machine of pods that may be long gone: volumes, cgroups, logs.

An agent that was killed leaves any part of it, so each is looked for by itself: a pod whose sandbox and
volumes went may still have a directory of logs.
"""

from __future__ import annotations

from functools import partial

from wherry.kit.disk import Disk
from wherry.kit.trees import remove_tree
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.users import UserRanges
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.staging import TEAR_DOWN_TIMEOUT_S


class Remains:
    """Finds and removes by pod uid, without knowing the pod."""

    def __init__(
        self,
        config: KubeletConfig,
        volumes: PodVolumes,
        cgroups: PodCgroups,
        users: UserRanges,
        disk: Disk,
    ) -> None:
        self._disk = disk
        self._logs = config.log_dir
        self._volumes = volumes
        self._cgroups = cgroups
        self._users = users

    async def uids(self) -> set[str]:
        """The pods of which there is anything. Raises OSError."""
        return await self._disk.run("remains of pods", self._find, TEAR_DOWN_TIMEOUT_S)

    def _find(self) -> set[str]:
        return self._volumes.uids() | self._cgroups.uids() | self._log_directories().keys()

    async def remove(self, uid: str) -> None:
        """Remove all there is of the pod, as far as possible. Raises OSError for what resists."""
        resisting: OSError | None = None
        try:
            await self._volumes.tear_down(uid)
            self._users.release(uid)
        except OSError as error:
            resisting = error
        await self._disk.run(uid, partial(self._remove_others, uid), TEAR_DOWN_TIMEOUT_S)
        if resisting is not None:
            raise resisting

    def _remove_others(self, uid: str) -> None:
        self._cgroups.remove(uid)
        for name in self._log_directories().get(uid, ()):
            remove_tree(self._logs / name)

    def _log_directories(self) -> dict[str, list[str]]:
        """Names of log directories (`<namespace>_<pod>_<uid>`) by uid."""
        found: dict[str, list[str]] = {}
        try:
            for entry in self._logs.iterdir():
                parts = entry.name.split("_")
                if len(parts) == 3 and parts[2]:
                    found.setdefault(parts[2], []).append(entry.name)
        except FileNotFoundError:
            return {}
        return found
