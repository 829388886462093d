"""The image every pod's sandbox runs: one static program of a few hundred bytes, made here.

The program holds the pod's namespaces open. As process 1 of a shared PID namespace it ignores
SIGCHLD, so that the kernel reaps orphans for it; it exits on SIGTERM and SIGINT, which process 1
would otherwise never notice; between signals it sleeps. The machine code is emitted directly: no
compiler is needed where Wherry runs, and it is the same for everyone.
"""

from __future__ import annotations

import struct
from pathlib import Path

from wherry.images.oci import Entry, ImageConfig, machine_architecture, write_image

PAUSE_IMAGE = "wherry.dev/pause:1"

_BASE = 0x400000
_CODE = _BASE + 64 + 56  # behind the ELF header and one program header
_SIGINT, _SIGTERM, _SIGCHLD = 2, 15, 17
_SIG_IGN = 1
_SA_RESTORER = 0x04000000
_MACHINES = {"amd64": 62, "arm64": 183}


def pause_program(architecture: str) -> bytes:
    """The ELF executable for "amd64" or "arm64"."""
    assemble = _amd64 if architecture == "amd64" else _arm64
    # The length does not depend on addresses, so a first pass with any addresses tells it.
    length = len(assemble(_BASE, _BASE)[0])
    actions = _align(_CODE + length, 8)
    code, exit_offset = assemble(actions, actions + 32)
    on_exit = _CODE + exit_offset
    # struct sigaction as the kernel has it: handler, flags, restorer, mask. The handler never
    # returns, so what stands as restorer does not matter, but x86-64 insists on there being one.
    ignore = struct.pack("<4Q", _SIG_IGN, 0, 0, 0)
    leave = struct.pack("<4Q", on_exit, _SA_RESTORER, on_exit, 0)
    body = code + bytes(actions - _CODE - length) + ignore + leave
    return _headers(_MACHINES[architecture], len(body)) + body


def pack_pause(output: Path, *, architecture: str = "") -> str:
    """Write the archive of the pause image to `output`; its digest."""
    arch = architecture or machine_architecture()
    entries = {"pause": Entry(mode=0o755, data=pause_program(arch))}
    config = ImageConfig(entrypoint=("/pause",), user="65535:65535")
    return write_image(output, PAUSE_IMAGE, entries, config, architecture=arch)


def _align(address: int, to: int) -> int:
    return -(-address // to) * to


def _headers(machine: int, body_length: int) -> bytes:
    ident = b"\x7fELF" + bytes((2, 1, 1, 0)) + bytes(8)  # 64 bit, little-endian, System V
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _CODE, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = 64 + 56 + body_length
    # One segment, readable and executable: nothing is ever written.
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)


def _amd64(ignore: int, leave: int) -> tuple[bytes, int]:
    """The code and the offset of its signal handler, for sigactions at the two addresses."""

    def sigaction(signal: int, action: int) -> bytes:
        return (
            b"\xb8" + struct.pack("<I", 13)  # mov eax, rt_sigaction
            + b"\xbf" + struct.pack("<I", signal)  # mov edi, signal
            + b"\xbe" + struct.pack("<I", action)  # mov esi, action
            + b"\x31\xd2"  # xor edx, edx
            + b"\x41\xba" + struct.pack("<I", 8)  # mov r10d, 8
            + b"\x0f\x05"  # syscall
        )  # fmt: skip

    setup = sigaction(_SIGCHLD, ignore) + sigaction(_SIGTERM, leave) + sigaction(_SIGINT, leave)
    wait = b"\xb8" + struct.pack("<I", 34) + b"\x0f\x05"  # mov eax, pause; syscall
    wait += b"\xeb" + struct.pack("<b", -(len(wait) + 2))  # jmp back
    leave_code = b"\xb8" + struct.pack("<I", 231) + b"\x31\xff\x0f\x05"  # exit_group(0)
    return setup + wait + leave_code, len(setup + wait)


def _arm64(ignore: int, leave: int) -> tuple[bytes, int]:
    """As `_amd64`; there is no pause(2) here, so ppoll(2) on nothing without timeout waits."""

    def move(register: int, value: int) -> list[int]:
        words = [0xD2800000 | (value & 0xFFFF) << 5 | register]  # movz
        if value >> 16:
            words.append(0xF2A00000 | (value >> 16) << 5 | register)  # movk, lsl 16
        return words

    def call(number: int, *arguments: int) -> list[int]:
        words = [word for register, value in enumerate(arguments) for word in move(register, value)]
        return [*words, *move(8, number), 0xD4000001]  # svc 0

    setup = call(134, _SIGCHLD, ignore, 0, 8) + call(134, _SIGTERM, leave, 0, 8)
    setup += call(134, _SIGINT, leave, 0, 8)
    wait = call(73, 0, 0, 0, 0, 0)
    wait.append(0x14000000 | (-len(wait) & 0x3FFFFFF))  # b back
    words = setup + wait + call(94, 0)
    return struct.pack(f"<{len(words)}I", *words), 4 * len(setup + wait)
