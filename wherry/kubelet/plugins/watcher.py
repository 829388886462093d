"""The folder in which plug-ins say that they are there (plugin registration v1).

A plug-in puts a socket into the folder; the agent asks it who it is, hands it to whoever is there for its
type, and tells it how that went. When the socket goes, so does the plug-in. The kernel tells of sockets
that come and go. Each plug-in is registered by itself: one that does not answer keeps no other waiting.

Source: k8s.io/kubelet/pkg/apis/pluginregistration/v1; pkg/kubelet/pluginmanager (reconciler,
operation_generator: the texts).
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.kit.clock import Clock
from wherry.kit.inotify import WHOLE_FILES, DirectoryWatch
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.plugins.calls import (
    DIAL_TIMEOUT_S,
    OutsideFolder,
    PluginChannel,
    PluginFailure,
    make_folder,
    socket_below,
)
from wherry.kubelet.plugins.declared import Messages

log = logging.getLogger(__name__)

MESSAGES = Messages(
    "pluginregistration",
    {
        "PluginInfo": "string type 1, string name 2, string endpoint 3, []string supported_versions 4",
        "RegistrationStatus": "bool plugin_registered 1, string error 2",
        "RegistrationStatusResponse": "",
        "InfoRequest": "",
    },
)
SERVICE = "pluginregistration.Registration"
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 122.0
MOST_SOCKETS = 512
"""So many plug-ins are looked at; further sockets are left alone."""


class NotRegistered(Exception):
    """The plug-in cannot be used, and was told why."""


class PluginHandler(Protocol):
    """Who is there for plug-ins of one type."""

    def validate(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        """Raises NotRegistered for a plug-in that cannot be used."""
        ...

    async def register(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        """Take the plug-in in. Raises NotRegistered, PluginFailure."""
        ...

    def deregister(self, name: str, endpoint: Path) -> None:
        """The plug-in is gone."""
        ...


@dataclass(frozen=True, slots=True)
class _Identity:
    """Which socket it is: one that was removed and made anew is another."""

    inode: int
    made_ns: int


class _Plugin:
    """One socket of the folder, on its way to be registered or there."""

    def __init__(self, watcher: PluginWatcher, socket: Path, identity: _Identity) -> None:
        self.identity = identity
        self._watcher = watcher
        self._socket = socket
        self._registered: tuple[PluginHandler, str, Path] | None = None
        self.registering = Repeater(
            f"registration of plug-in {socket.name}",
            self._register,
            watcher.tasks,
            watcher.clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(NotRegistered, OutsideFolder, PluginFailure, OSError),
        )
        self.registering.poke()

    async def _register(self) -> None:
        watcher = self._watcher
        channel = PluginChannel(self._socket, watcher.clock)
        try:
            info = await channel.call(
                f"/{SERVICE}/GetInfo", MESSAGES.InfoRequest(), MESSAGES.PluginInfo, DIAL_TIMEOUT_S
            )
            handler, error = watcher.handlers.get(info.type), ""
            try:
                if handler is None:
                    raise NotRegistered(
                        f"no handler registered for plugin type: {info.type[:64]} at socket {self._socket}"
                    )
                endpoint = socket_below(watcher.root, Path(info.endpoint) if info.endpoint else self._socket)
                await self._hand_over(handler, info, endpoint)
            except (NotRegistered, OutsideFolder, PluginFailure, OSError) as failure:
                error = str(failure)
                raise
            finally:
                status = MESSAGES.RegistrationStatus(plugin_registered=not error, error=error)
                await channel.call(
                    f"/{SERVICE}/NotifyRegistrationStatus",
                    status,
                    MESSAGES.RegistrationStatusResponse,
                    DIAL_TIMEOUT_S,
                )
        finally:
            await channel.close()

    async def _hand_over(self, handler: PluginHandler, info: object, endpoint: Path) -> None:
        name: str = getattr(info, "name")  # noqa: B009 - the message's class is made when it is loaded
        versions = list(getattr(info, "supported_versions"))  # noqa: B009
        try:
            handler.validate(name, endpoint, versions)
        except NotRegistered as error:
            raise NotRegistered(f"plugin validation failed with err: {error}") from error
        if self._registered is not None:  # it was told of badly: it is there already
            return
        try:
            await handler.register(name, endpoint, versions)
        except (NotRegistered, PluginFailure) as error:
            raise NotRegistered(f"plugin registration failed with err: {error}") from error
        self._registered = handler, name, endpoint
        log.info("plug-in %s is registered, at %s", name, endpoint)

    async def close(self) -> None:
        """The socket is gone, or another."""
        await self.registering.close()
        if self._registered is not None:
            handler, name, endpoint = self._registered
            self._registered = None
            handler.deregister(name, endpoint)


class PluginWatcher:
    """Registers the plug-ins whose sockets are in `folder`; `handlers` are by the plug-ins' type.

    What a plug-in serves on has to be below `root`, the agent's own directory.
    """

    def __init__(self, folder: Path, root: Path, handlers: Mapping[str, PluginHandler], clock: Clock) -> None:
        self.root = root
        self.handlers = handlers
        self.clock = clock
        self.tasks = Tasks("plug-ins")
        self._folder = folder
        self._plugins: dict[Path, _Plugin] = {}
        self._hearing = Repeater(
            f"plug-ins in {folder}",
            self._hear,
            self.tasks,
            clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(OSError,),
        )

    def start(self) -> None:
        """Begin to look."""
        self._hearing.poke()

    async def close(self) -> None:
        """Look no more; plug-ins are told nothing."""
        await self._hearing.close()
        for plugin in self._plugins.values():
            await plugin.registering.close()
        self._plugins.clear()
        await self.tasks.close()

    async def _hear(self) -> float:
        """Look whenever something changed. Ends when the folder does: it is made anew then."""
        make_folder(self._folder)
        inode = self._folder.stat().st_ino
        with DirectoryWatch(self._folder, WHOLE_FILES) as watch:
            while True:
                await self._look()
                await watch.wait()
                if not self._folder.exists() or self._folder.stat().st_ino != inode:
                    await self._look()
                    return 0.0

    async def _look(self) -> None:
        found = self._sockets()
        for socket in [*self._plugins]:
            if found.get(socket) != self._plugins[socket].identity:
                await self._plugins.pop(socket).close()
        for socket, identity in found.items():
            if socket not in self._plugins:
                self._plugins[socket] = _Plugin(self, socket, identity)

    def _sockets(self) -> dict[Path, _Identity]:
        found: dict[Path, _Identity] = {}
        try:
            paths = sorted(self._folder.iterdir())
        except FileNotFoundError:
            return found
        for path in paths:
            if path.name.startswith(".") or len(found) >= MOST_SOCKETS:
                continue
            try:
                seen = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISSOCK(seen.st_mode):
                found[path] = _Identity(seen.st_ino, seen.st_mtime_ns)
        return found
