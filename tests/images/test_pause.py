"""The pause program: a well-formed executable that does what a sandbox's first process must."""

from __future__ import annotations

import os
import platform
import signal
import struct
from pathlib import Path

import pytest

from wherry.images.load import read_names
from wherry.images.pause import PAUSE_IMAGE, pack_pause, pause_program

NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_is_an_executable_with_one_segment(architecture: str, machine: int) -> None:
    program = pause_program(architecture)
    assert program[:6] == b"\x7fELF\x02\x01"
    kind, found, _, entry, header = struct.unpack_from("<HHIQQ", program, 16)
    assert (kind, found, header) == (2, machine, 64)
    load, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from("<IIQQQQQQ", program, 64)
    assert (load, flags, offset) == (1, 5, 0)
    assert in_file == in_memory == len(program)
    assert address < entry < address + len(program)


def test_arm_branches_back_to_waiting() -> None:
    program = pause_program("arm64")
    words = struct.unpack_from(f"<{(len(program) - 120 - 64) // 4}I", program, 120)
    (at,) = [index for index, word in enumerate(words) if word >> 26 == 0b000101]
    back = (words[at] & 0x3FFFFFF) - (1 << 26)
    # The jump leads to the first argument of the waiting call, behind an earlier call's svc.
    assert words[at + back - 1] == 0xD4000001
    assert words[at + back] == 0xD2800000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ignores_children_and_leaves_when_asked(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "pause"
    path.write_bytes(pause_program(NATIVE[platform.machine()]))
    path.chmod(0o755)
    pid = os.posix_spawn(str(path), ["pause"], {})
    handled = 1 << signal.SIGTERM - 1 | 1 << signal.SIGINT - 1
    # The last system call before it waits installs SIGINT's handler.
    while int(status_of(pid)["SigCgt"], 16) != handled:
        os.sched_yield()
    assert int(status_of(pid)["SigIgn"], 16) >> signal.SIGCHLD - 1 & 1
    os.kill(pid, number)
    assert os.waitpid(pid, 0) == (pid, 0)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_is_packed_as_an_image(tmp_path: Path) -> None:
    archive = tmp_path / "pause.tar"
    pack_pause(archive)
    assert read_names(archive) == [PAUSE_IMAGE]
