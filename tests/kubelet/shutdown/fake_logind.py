"""A bus with systemd-logind and systemd on it: answers one client over a socket, and notes what it was asked.

The answers are what systemd's own are by their documentation (org.freedesktop.login1(5)); messages are read
and written as the D-Bus specification says, with the client library's own encoding.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast._private.unmarshaller import Unmarshaller

LOGIND_PATH = "/org/freedesktop/login1"
MANAGER = "org.freedesktop.login1.Manager"


class FakeLogind:
    """Listens at `path` until closed. A lock is a pipe: the other end tells when it is given up."""

    def __init__(self, path: Path, *, delay_s: float = 5.0, override_dir: Path | None = None) -> None:
        self.address = f"unix:path={path}"
        self.calls: list[tuple[str, str, str, list[Any]]] = []
        """(destination, path, interface.member, arguments) of every call, in order."""
        self.is_preparing = False
        self.delay_us = int(delay_s * 1e6)
        self.obeys = True
        """Whether a new delay is taken when it is told to read its configuration again."""
        self._override_dir = override_dir
        self._locks: list[int] = []
        self._serial = 0
        self._client: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def prepare(self, is_beginning: bool) -> None:
        """Tell that a shutdown begins, or was called off."""
        self.is_preparing = is_beginning
        signal = Message.new_signal(LOGIND_PATH, MANAGER, "PrepareForShutdown", "b", [is_beginning])
        self._send(signal)

    @property
    def held(self) -> int:
        """How many locks are held."""
        return sum(not select.select([lock], [], [], 0)[0] for lock in self._locks)

    def drop(self) -> None:
        """End the connection, as a bus that is started again does."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self._thread.join()
        for lock in self._locks:
            os.close(lock)

    def _serve(self) -> None:
        while True:
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(EOFError, OSError):
                self._authenticate()
                while True:
                    self._answer(self._read())
            self._client.close()

    def _authenticate(self) -> None:
        assert self._client is not None
        assert self._exactly(1) == b"\0"
        while (line := self._line()) != "BEGIN":
            if line.startswith("AUTH EXTERNAL"):
                self._client.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
            elif line == "NEGOTIATE_UNIX_FD":
                self._client.sendall(b"AGREE_UNIX_FD\r\n")
            else:
                self._client.sendall(b"ERROR\r\n")

    def _line(self) -> str:
        text = b""
        while not text.endswith(b"\r\n"):
            text += self._exactly(1)
        return text.decode().strip()

    def _exactly(self, count: int) -> bytes:
        assert self._client is not None
        data = b""
        while len(data) < count:
            part = self._client.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _read(self) -> Message:
        head = self._exactly(16)
        body, _, fields = struct.unpack("<III", head[4:])
        rest = self._exactly(-(-fields // 8) * 8 + body)
        message = Unmarshaller(io.BytesIO(head + rest)).unmarshall()  # type: ignore[arg-type]
        assert message is not None
        return message

    def _answer(self, call: Message) -> None:
        if call.message_type is not MessageType.METHOD_CALL:
            return
        if call.member == "Hello":
            self._send(Message.new_method_return(call, "s", [":1.1"]))
            return
        where = f"{call.interface}.{call.member}"
        self.calls.append((call.destination or "", call.path or "", where, list(call.body)))
        if call.member == "Get":
            said = {
                "InhibitDelayMaxUSec": Variant("t", self.delay_us),
                "PreparingForShutdown": Variant("b", self.is_preparing),
            }
            self._send(Message.new_method_return(call, "v", [said[call.body[1]]]))
        elif call.member == "Inhibit":
            ours, theirs = os.pipe()
            self._locks.append(ours)
            self._send(Message.new_method_return(call, "h", [0], [theirs]), theirs)
            os.close(theirs)
        else:
            if call.member == "KillUnit" and self.obeys and self._override_dir is not None:
                text = (self._override_dir / "99-kubelet.conf").read_text()
                self.delay_us = int(text.partition("InhibitDelayMaxSec=")[2]) * 10**6
            self._send(Message.new_method_return(call))

    def _send(self, message: Message, *fds: int) -> None:
        assert self._client is not None
        self._serial += 1
        message.serial = self._serial
        data = bytes(message._marshall(negotiate_unix_fd=bool(fds)))
        if fds:
            socket.send_fds(self._client, [data], list(fds))
        else:
            self._client.sendall(data)
