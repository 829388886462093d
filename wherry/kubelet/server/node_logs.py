"""`/logs/`: files of the node's log folder, and what a service logged (KEP-2258), where the node allows it.

A file is opened part by part below the folder, and no link is followed: what lies elsewhere is not shown. The
journal is read by `journalctl`, without a shell, for half a minute at most (upstream's limit).
Source: pkg/kubelet/kubelet_server_journal.go.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, quote

from wherry.kit.httpd.message import Answer, Request, Response, StreamResponse, Writer
from wherry.kit.integers import parse_integer
from wherry.kit.opening import opened
from wherry.kit.plain_files import open_plain
from wherry.kubelet.server.answers import NotServed
from wherry.kubelet.server.config import KubeletServerConfig

MOST_SERVICES = 4
LONGEST_S = 30.0
MOST_JOURNALS = 8
"""So many readers of the journal run at once, whoever asks; each is a process of half a minute at most."""
_MANY = f"{MOST_JOURNALS} readers of the journal run already; ask again later\n"
_PIECE = 64 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_.:@-]+")
_LONGEST_NAME = 256
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """What is asked for: one file, or services with options (times in RFC 3339)."""

    file: str = ""
    services: Sequence[str] = ()
    since: str = ""
    until: str = ""
    tail_lines: int | None = None
    pattern: str = ""
    boot: int | None = None

    @property
    def has_options(self) -> bool:
        """Whether more is asked for than whose log."""
        return bool(self.since or self.until or self.pattern) or (self.tail_lines, self.boot) != (None, None)


def parse_query(text: str) -> LogQuery | None:
    """What a query says, None where it says nothing. Raises NotServed (400) in upstream's words."""
    query = {name: [value for value in values if value] for name, values in parse_qs(text).items()}
    first = {name: values[0] for name, values in query.items() if values}
    if any("\0" in value for values in query.values() for value in values):
        raise _invalid("query: Invalid value: input contains unsupported characters")
    asked = query.get("query", [])
    options = first.keys() & {"sinceTime", "untilTime", "tailLines", "pattern", "boot"}
    if not asked and not options:
        return None
    files = [one for one in asked if "/" in one or "\\" in one]
    services = [one for one in asked if one not in files]
    if not asked:
        raise _invalid("query: Required value: cannot be empty with options")
    if files and services:
        raise _invalid(f'query: Invalid value: "{files}, {services}": cannot specify a file and service')
    if len(files) > 1:
        raise _invalid(f"query: Invalid value: {files}: cannot specify more than one file")
    if files and options:
        raise _invalid(f"query: Invalid value: {files}: cannot specify file with options")
    if len(services) > MOST_SERVICES:
        raise _invalid(f"query: Too many: {len(services)}: must have at most {MOST_SERVICES} items")
    for service in services:
        if len(service) > _LONGEST_NAME or service.startswith("-") or not _NAME.fullmatch(service):
            raise _invalid(
                f'query: Invalid value: "{service[:_LONGEST_NAME]}": input contains unsupported characters'
            )
    return LogQuery(
        file=files[0] if files else "",
        services=tuple(services),
        since=_time(first, "sinceTime"),
        until=_time(first, "untilTime"),
        tail_lines=_number(first, "tailLines", least=0, most=100_000),
        pattern=first.get("pattern", ""),
        boot=_number(first, "boot", least=-(1 << 31), most=0),
    )


def journal_command(program: str, query: LogQuery) -> list[str]:
    """How `journalctl` is called; values come after "=" so that none is taken for an option."""
    command = [program, "--utc", "--no-pager", "--output=short-precise", "--quiet"]
    command += [f"--unit={service}" for service in query.services]
    command += [f"--since={query.since}"] if query.since else []
    command += [f"--until={query.until}"] if query.until else []
    command += [f"--lines={query.tail_lines}"] if query.tail_lines is not None else []
    command += [f"--grep={query.pattern}"] if query.pattern else []
    command += [f"--boot={query.boot}"] if query.boot is not None else []
    return command


def open_below(folder: Path, parts: Sequence[str]) -> int:
    """A descriptor of the file or directory at `parts` below `folder`. Raises OSError, for links too."""
    at = os.open(folder, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            following = (
                open_plain(part, dir_fd=at, directories=True)
                if is_last
                else os.open(part, _DIRECTORY, dir_fd=at)
            )
            os.close(at)
            at = following
    except BaseException:
        os.close(at)
        raise
    return at


class NodeLogs:
    """The page of one node. `program` reads the journal."""

    def __init__(self, config: KubeletServerConfig, program: str = "journalctl") -> None:
        self._folder = config.system_log_dir
        self._takes_queries = config.takes_log_queries
        self._program = program
        self._journals = 0

    async def page(self, request: Request) -> Answer:
        """`/logs/PATH`, or `/logs/?query=...`. Raises NotServed, OSError."""
        parts = [part for part in request.path.removeprefix("/logs").split("/") if part not in ("", ".")]
        if self._takes_queries and not parts:
            query = parse_query(request.query)
            if query is not None and query.file:
                return await self._file(query.file.strip("/").split("/"))
            if query is not None:
                return await self._services(query)
        return await self._file(parts)

    async def _file(self, parts: Sequence[str]) -> Answer:
        if ".." in parts or any("\x00" in part for part in parts):
            raise NotServed("invalid URL path\n", 400)
        try:
            file = await opened(partial(_file_or_listing, self._folder, parts))
        except OSError as error:
            raise NotServed("404 page not found\n", 404) from error
        if isinstance(file, BytesIO):
            return Response(file.getvalue(), content_type="text/html; charset=utf-8")
        return StreamResponse(partial(_send, file), content_type="text/plain; charset=utf-8")

    async def _services(self, query: LogQuery) -> Answer:
        if not query.has_options and len(query.services) == 1:
            (name,) = query.services
            for parts in ([f"{name}.log"], [name, f"{name}.log"], [name]):
                try:
                    answer = await self._file(parts)
                except NotServed:
                    continue
                if isinstance(answer, StreamResponse):
                    return answer
        program = shutil.which(self._program)
        if program is None:
            raise NotServed(f"the journal cannot be read: {self._program} is not installed\n", 500)
        if self._journals >= MOST_JOURNALS:
            raise NotServed(_MANY, 429)
        command = journal_command(program, query)
        return StreamResponse(partial(self._journal, command), content_type="text/plain; charset=utf-8")

    async def _journal(self, command: Sequence[str], writer: Writer) -> None:
        """What the journal says; counted from here, since an answer nobody waits for never gets here."""
        if self._journals >= MOST_JOURNALS:
            writer.write(_MANY.encode())
            return
        self._journals += 1
        try:
            await _run(command, writer)
        finally:
            self._journals -= 1


async def _send(file: BinaryIO, writer: Writer) -> None:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            writer.write(piece)
            await writer.drain()


async def _run(command: Sequence[str], writer: Writer) -> None:
    """Run `command` and hand on what it says."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(LONGEST_S):
            while piece := await child.stdout.read(_PIECE):
                writer.write(piece)
                await writer.drain()
    except TimeoutError:
        writer.write(f"\nthe log was cut off after {LONGEST_S:g} s\n".encode())
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def _file_or_listing(folder: Path, parts: Sequence[str]) -> BinaryIO:
    """The open file, or a directory's page as a BytesIO. Raises OSError."""
    descriptor = open_below(folder, parts)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            return BytesIO(_listing(descriptor))
        return os.fdopen(os.dup(descriptor), "rb")
    finally:
        os.close(descriptor)


def _listing(descriptor: int) -> bytes:
    """The names in a directory, as Go's file server shows them."""
    with os.scandir(descriptor) as entries:
        names = sorted(e.name + "/" * e.is_dir(follow_symlinks=False) for e in entries if not e.is_symlink())
    lines = (f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
    return f"<pre>\n{''.join(lines)}</pre>\n".encode("utf-8", "surrogateescape")


def _time(first: dict[str, str], name: str) -> str:
    text = first.get(name, "")
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _invalid(f'{name}: Invalid value: "{text[:64]}": invalid time format')
    return f"@{moment.timestamp():.6f}"


def _number(first: dict[str, str], name: str, *, least: int, most: int) -> int | None:
    text = first.get(name, "")
    if not text:
        return None
    value = parse_integer(text)
    if value is None or not least <= value <= most:
        raise _invalid(f'{name}: Invalid value: "{text[:64]}": must be from {least} to {most}')
    return value


def _invalid(message: str) -> NotServed:
    return NotServed(message + "\n", 400)
