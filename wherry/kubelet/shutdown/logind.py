"""systemd-logind, asked over D-Bus to wait with a shutdown, and heard when one begins or is called off.

Source: pkg/kubelet/nodeshutdown/systemd/inhibit_linux.go, and systemd's org.freedesktop.login1(5). The
library that speaks D-Bus is imported when a connection is made: a node that waits for no shutdown does
without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
LOGIND, LOGIND_PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
MANAGER = "org.freedesktop.login1.Manager"
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OVERRIDE_DIR = Path("/etc/systemd/logind.conf.d")
OVERRIDE = "99-kubelet.conf"
SIGHUP = 1


class Inhibitor(Protocol):
    """What can hold up a shutdown of the machine. Every method raises OSError."""

    async def connect(self) -> None:
        """Begin to listen."""
        ...

    async def delay_s(self) -> float:
        """For how long a shutdown can be held up."""
        ...

    async def set_delay(self, seconds: float) -> None:
        """Have it be held up for as long as that, if asked for."""
        ...

    async def hold(self) -> None:
        """From now on hold a shutdown up."""
        ...

    def release(self) -> None:
        """Let a shutdown go on."""
        ...

    async def is_preparing(self) -> bool:
        """Whether the machine is going down already."""
        ...

    async def change(self) -> bool:
        """Wait for the next news: True when a shutdown begins, False when it is called off."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class Logind:
    """An `Inhibitor` by systemd-logind at the other end of the D-Bus `address`."""

    def __init__(self, address: str = SYSTEM_BUS, override_dir: Path = OVERRIDE_DIR) -> None:
        self._address = address
        self._override_dir = override_dir
        self._bus: MessageBus | None = None
        self._lock: int | None = None
        self._ending: asyncio.Future[None] | None = None
        self._news: asyncio.Queue[bool | None] = asyncio.Queue()

    async def connect(self) -> None:
        """See `Inhibitor.connect`."""
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import DBusError

        await self.close()
        self._news = asyncio.Queue()
        bus = MessageBus(bus_address=self._address, negotiate_unix_fd=True)
        try:
            self._bus = await bus.connect()
        except (DBusError, EOFError, ValueError) as error:
            raise ConnectionError(f"{self._address}: {error}") from error
        except OSError as error:
            raise ConnectionError(f"{self._address}: {error.strerror or error}") from error
        bus.add_message_handler(self._heard)
        self._ending = asyncio.ensure_future(_tell_end(bus, self._news))
        rule = f"type='signal',interface='{MANAGER}',member='PrepareForShutdown',path='{LOGIND_PATH}'"
        await self._call(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", [rule]
        )

    async def delay_s(self) -> float:
        """See `Inhibitor.delay_s`."""
        return float(await self._property("InhibitDelayMaxUSec")) / 1e6

    async def set_delay(self, seconds: float) -> None:
        """See `Inhibitor.set_delay`."""
        self._override_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = f"# Kubelet logind override\n[Login]\nInhibitDelayMaxSec={seconds:.0f}\n"
        (self._override_dir / OVERRIDE).write_text(text)
        await self._call(
            SYSTEMD,
            SYSTEMD_PATH,
            f"{SYSTEMD}.Manager",
            "KillUnit",
            "ssi",
            ["systemd-logind.service", "all", SIGHUP],
        )

    async def hold(self) -> None:
        """See `Inhibitor.hold`."""
        asked = ["shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay"]
        reply = await self._call(LOGIND, LOGIND_PATH, MANAGER, "Inhibit", "ssss", asked)
        self.release()
        if not reply.unix_fds:
            raise ConnectionError("logind gave no lock")
        self._lock = reply.unix_fds[reply.body[0]]

    def release(self) -> None:
        """See `Inhibitor.release`."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def is_preparing(self) -> bool:
        """See `Inhibitor.is_preparing`."""
        return bool(await self._property("PreparingForShutdown"))

    async def change(self) -> bool:
        """See `Inhibitor.change`."""
        news = await self._news.get()
        if news is None:
            raise ConnectionError(f"{self._address}: the connection ended")
        return news

    async def close(self) -> None:
        """See `Inhibitor.close`."""
        self.release()
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()
        if self._ending is not None:
            await asyncio.wait([self._ending])
            self._ending = None

    async def _property(self, name: str) -> Any:
        reply = await self._call(LOGIND, LOGIND_PATH, PROPERTIES, "Get", "ss", [MANAGER, name])
        return reply.body[0].value

    async def _call(
        self, who: str, path: str, interface: str, member: str, signature: str, body: Sequence[Any]
    ) -> Message:
        from dbus_fast import Message, MessageType

        if self._bus is None:
            raise ConnectionError(f"{self._address}: not connected")
        call = Message(
            destination=who,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        try:
            reply = await self._bus.call(call)
        except (EOFError, ValueError) as error:
            raise ConnectionError(f"{member}: {error or 'the connection ended'}") from error
        if reply is None or reply.message_type is MessageType.ERROR:
            why = reply.body[0] if reply is not None and reply.body else "no answer"
            raise ConnectionError(f"{member}: {why}")
        return reply

    def _heard(self, message: Message) -> bool:
        from dbus_fast import MessageType

        if message.message_type is not MessageType.SIGNAL:
            return False
        if message.interface == MANAGER and message.member == "PrepareForShutdown":
            self._news.put_nowait(bool(message.body[0]))
        return False


async def _tell_end(bus: MessageBus, news: asyncio.Queue[bool | None]) -> None:
    with contextlib.suppress(Exception):  # what ended it does not matter
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    news.put_nowait(None)
