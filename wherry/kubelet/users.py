"""Users of pods' own (`hostUsers: false`, KEP-127): which ids of the node each of them has.

A pod has one range of ids, of users and groups alike; ranges never overlap. It is written into the pod's
directory, in upstream's form and on the disk itself, before the runtime hears of it: whoever has the range
of another pod could read its files. Source: pkg/kubelet/userns/userns_manager.go, getKubeletMappings.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kit.disk import Disk
from wherry.kit.integers import parse_unsigned
from wherry.kit.path_names import one_name
from wherry.kubelet.pod import has_own_users
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import RuntimeStatus
from wherry.kubelet.runtimes.sandboxes import IdRange
from wherry.objects.meta import uid_of

UNIT = 65536
"""A range is a multiple of this."""
FILE = "userns"
USER = "kubelet"
COMMAND = "getsubids"
COMMAND_TIMEOUT_S = 10.0
FILES_TIMEOUT_S = 30.0
MOST_BYTES = 4096

Ask = Callable[[list[str]], str]
"""Gives what the command prints. Raises OSError."""


class NoRanges(OSError):
    """Pods cannot be given ids of their own on this node as it is set up."""


class UserRanges:
    """The ranges of one node's pods, below `pods_dir`."""

    def __init__(self, pods_dir: Path, disk: Disk, ids_per_pod: int, max_pods: int) -> None:
        self._pods_dir = pods_dir
        self._disk = disk
        self._ids_per_pod = ids_per_pod
        self._max_pods = max_pods
        self._free_from = 0
        self._all = range(0)
        self._used: dict[str, int] = {}

    async def load(self, ask: Ask | None = None) -> None:
        """Learn which ids there are and which pods have some. Raises OSError (NoRanges)."""

        def read() -> tuple[range, dict[str, int]]:
            ranges = find_ranges(self._ids_per_pod, self._max_pods, ask or _asker())
            return ranges, self._read_all(ranges)

        self._all, self._used = await self._disk.run("ids of pods", read, FILES_TIMEOUT_S)

    async def of(self, pod: Mapping[str, Any], handler: str, runtime: RuntimeStatus | None) -> IdRange | None:
        """The range of a pod that gets a sandbox by `handler`, None for a pod with the node's users.

        Raises RuntimeFailure when it cannot have one, OSError.
        """
        if not has_own_users(pod):
            return None
        if lack := lacks_user_namespaces(handler, runtime):
            raise RuntimeFailure(lack)
        uid = uid_of(pod)
        known = self._used.get(uid)
        if known is not None:
            return IdRange(known, self._ids_per_pod)
        first = self._choose()
        self._used[uid] = first
        try:
            await self._disk.run(uid, partial(self._write, uid, first), FILES_TIMEOUT_S)
        except BaseException:
            del self._used[uid]
            raise
        return IdRange(first, self._ids_per_pod)

    def known(self, pod: Mapping[str, Any]) -> IdRange | None:
        """The range a pod whose sandbox is up was given."""
        first = self._used.get(uid_of(pod)) if has_own_users(pod) else None
        return IdRange(first, self._ids_per_pod) if first is not None else None

    def release(self, uid: str) -> None:
        """The pod is gone, with its directory: others may have its ids."""
        self._used.pop(uid, None)

    def _choose(self) -> int:
        """A range nobody has: the next one after the last that was given, so that each rests for a while."""
        taken = set(self._used.values())
        for offset in range(len(self._all)):
            index = (self._free_from + offset) % len(self._all)
            if self._all[index] not in taken:
                self._free_from = index + 1
                return self._all[index]
        raise RuntimeFailure(
            "create user namespace: could not find an empty slot to allocate a user namespace"
        )

    def _write(self, uid: str, first: int) -> None:
        directory = self._pods_dir / one_name(uid)
        directory.mkdir(parents=True, exist_ok=True)
        mapping = [{"hostId": first, "containerId": 0, "length": self._ids_per_pod}]
        draft = directory / f"{FILE}.new"
        with draft.open("w") as file:
            json.dump({"uidMappings": mapping, "gidMappings": mapping}, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(directory / FILE)
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def _read_all(self, ranges: range) -> dict[str, int]:
        """What pods were given. Raises NoRanges for what does not go together: nobody knows what is free."""
        found: dict[str, int] = {}
        try:
            directories = sorted(self._pods_dir.iterdir())
        except FileNotFoundError:
            return {}
        for directory in directories:
            try:
                with (directory / FILE).open() as file:
                    text = file.read(MOST_BYTES)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not text:
                continue
            try:
                first = read_mapping(text, self._ids_per_pod)
                if first not in ranges:
                    raise ValueError(f"id {first} is out of range")
                if first in found.values():
                    raise ValueError(f"range picked for pod {directory.name!r} already taken")
            except ValueError as error:
                why = f"record pod mappings for existing pod {json.dumps(directory.name)}: {error}"
                raise NoRanges(f"{why}; {directory / FILE} was written with other settings") from error
            found[directory.name] = first
        return found


def lacks_user_namespaces(handler: str, runtime: RuntimeStatus | None) -> str:
    """Why no pod with users of its own can run by `handler`, "" when it can; in upstream's words."""
    handlers = runtime.handlers if runtime is not None else {}
    found = handlers.get(handler)
    if found is not None and found.user_namespaces:
        return ""
    said = f'RuntimeClass handler "{handler}"' if handler else "runtime"
    lack = f"can't set `spec.hostUsers: false`, {said} does not support user namespaces"
    if not handlers:
        return f"{lack}: runtime handlers are not set"
    return f'{lack}: the handler "{handler}" is not known' if found is None else lack


def find_ranges(ids_per_pod: int, max_pods: int, ask: Ask) -> range:
    """The first ids of all ranges there are: those of the user `kubelet`, else all the node has.

    Raises OSError (NoRanges).
    """
    first, length = ids_per_pod, (1 << 32) - ids_per_pod
    users = ask([COMMAND, USER])
    if users:
        if users != ask([COMMAND, "-g", USER]):
            raise NoRanges(f'kubelet mappings: mismatched subuids and subgids for user "{USER}"')
        first, length = parse_subids(users)
    if first % ids_per_pod:
        raise NoRanges(f"kubelet user assigned ID {first} is not a multiple of {ids_per_pod}")
    if first < ids_per_pod:
        raise NoRanges(f"kubelet user assigned ID {first} must be greater or equal to {ids_per_pod}")
    if length % ids_per_pod:
        raise NoRanges(f"kubelet user assigned IDs length {length} is not a multiple of {ids_per_pod}")
    if length // ids_per_pod < max_pods:
        raise NoRanges(f"kubelet user assigned IDs are not enough to support {max_pods} pods")
    return range(first, first + length, ids_per_pod)


def parse_subids(text: str) -> tuple[int, int]:
    """The first id and how many there are, of `getsubids`' one line. Raises NoRanges."""
    lines = text.strip("\n").split("\n")
    if len(lines) != 1:
        raise NoRanges(f"error parsing line {json.dumps(text)}: it must contain only one line")
    parts = lines[0].split()
    if len(parts) != 4:
        raise NoRanges(f"invalid line {json.dumps(text)}")
    numbers = [parse_unsigned(part, 32) for part in parts[2:]]
    if numbers[0] is None or numbers[1] is None:
        raise NoRanges(f"error parsing line {json.dumps(text)}: it must contain two numbers")
    return numbers[0], numbers[1]


def read_mapping(text: str, ids_per_pod: int) -> int:
    """The first id of a pod's record. Raises ValueError."""
    try:
        told = json.loads(text)
        users, groups = told["uidMappings"], told["gidMappings"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"invalid user namespace mappings file: {error}") from None
    if users != groups or not isinstance(users, list) or len(users) != 1 or not isinstance(users[0], dict):
        raise ValueError("invalid user namespace configuration: GID and UID mappings should be identical.")
    first, inside, length = (users[0].get(name) for name in ("hostId", "containerId", "length"))
    if inside != 0:
        raise ValueError("invalid user namespace configuration: UID 0 must be mapped")
    if length != ids_per_pod:
        raise ValueError(f"wrong user namespace length {length}")
    if not isinstance(first, int) or first % ids_per_pod:
        raise ValueError(f"wrong user namespace offset specified {first}")
    return first


def _asker() -> Ask:
    """Asks `getsubids`, where there are a user `kubelet` and the command; else answers nothing."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return lambda _: ""
    command = shutil.which(COMMAND)
    if command is None:
        return lambda _: ""

    def ask(words: list[str]) -> str:
        try:
            done = subprocess.run(
                [command, *words[1:]], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
            )
        except subprocess.SubprocessError as error:
            ids = "gids" if "-g" in words else "uids"
            raise NoRanges(
                f'kubelet mappings: error retrieving additional {ids} for user "{USER}": {error}'
            ) from error
        if not done.stdout:
            raise NoRanges('kubelet mappings: invalid line ""')
        return done.stdout

    return ask
