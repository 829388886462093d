"""All that concerns devices of one node, put together: `NodeDevices`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.devices.assignments import DeviceOptions
from wherry.kubelet.devices.device_plugins import SOCKET, DevicePlugins, Listeners
from wherry.kubelet.devices.device_plugins import TYPE as DEVICE_PLUGIN
from wherry.kubelet.devices.dra.claims import Claims
from wherry.kubelet.devices.dra.drivers import TYPE as DRA_PLUGIN
from wherry.kubelet.devices.pod_resources import Exclusive, NothingExclusive, PodResources
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.plugins.watcher import PluginWatcher
from wherry.objects.meta import Object, uid_of

log = logging.getLogger(__name__)


class NodeDevices:
    """Device plug-ins, DRA drivers, and who tells of what they gave; below the kubelet's root directory.

    `pods` gives the pods of the node, `is_here` whether something of a pod (by uid) may still run.
    """

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        disk: Disk,
        clock: Clock,
        metrics: KubeletMetrics,
        boot_id: str,
        listeners: Listeners,
        pods: Callable[[], Sequence[Object]],
        is_here: Callable[[str], bool],
        exclusive: Exclusive | None = None,
    ) -> None:
        root = config.root_dir
        self._serves = config.serves_plugins
        self._is_here = is_here
        self._tasks = Tasks("devices")
        self._freeing = Repeater(
            "devices of pods that are gone", self._free, self._tasks, clock, expected=(OSError,)
        )
        self.plugins = DevicePlugins(root / "device-plugins", disk, clock, metrics, boot_id, listeners)
        self.claims = Claims(
            root,
            client,
            config.node_name,
            disk,
            clock,
            metrics,
            listeners.on_pod,
            is_standalone=config.is_standalone,
        )
        self._watcher = PluginWatcher(
            root / "plugins_registry",
            root,
            {DEVICE_PLUGIN: self.plugins, DRA_PLUGIN: self.claims.drivers},
            clock,
        )
        self._pod_resources = PodResources(
            root / "pod-resources" / SOCKET,
            pods,
            self.plugins,
            self.claims,
            exclusive or NothingExclusive(),
            clock,
            metrics,
        )

    async def load(self) -> None:
        """Read what an agent before this one wrote. Raises OSError when that takes too long."""
        await self.plugins.load()
        await self.claims.load()

    async def start(self) -> None:
        """Let plug-ins come. A node whose sockets cannot be made goes on without: it says so."""
        if not self._serves:
            return
        for what, begin in (
            ("device plug-ins", self.plugins.start),
            ("pod resources", self._pod_resources.start),
        ):
            try:
                await begin()
            except OSError as error:
                log.error("%s are not served: %s", what, error)
        self._watcher.start()
        self.claims.drivers.start()

    def all_known(self) -> None:
        """Every source of pods was read: what others have is free from now on."""
        self.claims.all_known(self._is_here)
        self._freeing.hurry()

    async def _free(self) -> None:
        await self.plugins.keep_only(self._is_here)

    async def close(self) -> None:
        """Serve plug-ins no more; what containers have they keep."""
        await self._freeing.close()
        await self._tasks.close()
        await self._watcher.close()
        await self._pod_resources.close()
        await self.plugins.close()
        await self.claims.close()

    async def options(self, pod: Object, container: Mapping[str, Any]) -> DeviceOptions:
        """What a container that is about to be made gets. Raises CannotAllocate, NotPrepared, NotYet,
        OSError.
        """
        options = await self.plugins.options(pod, container)
        cdi = self.claims.cdi_devices(pod, container)
        return options.with_cdi(cdi) if cdi else options

    async def release(self, pod: Object) -> None:
        """The pod's containers have all stopped. Raises NotPrepared, OSError."""
        await self.claims.unprepare(pod)
        await self.plugins.release(uid_of(pod))

    def resource_statuses(self, pod: Object) -> dict[str, list[Object]]:
        """`allocatedResourcesStatus` of the pod's containers, by name; those without devices are left out."""
        found = self.plugins.resource_statuses(pod)
        for name, statuses in self.claims.resource_statuses(pod).items():
            found[name] = [*found.get(name, ()), *statuses]
        return found
