"""What went over network interfaces, from `/proc/PID/net/dev`, and which interface is a machine's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FIELDS = 16


@dataclass(frozen=True, slots=True)
class InterfaceUse:
    """Counts since the interface was made."""

    name: str
    received_bytes: int
    received_packets: int
    receive_errors: int
    receive_dropped: int
    sent_bytes: int
    sent_packets: int
    send_errors: int
    send_dropped: int


def read_interfaces(proc: Path, pid: int | str = "self") -> list[InterfaceUse]:
    """The interfaces in the network namespace of `pid` but its loopback; none when it is gone."""
    try:
        text = (proc / str(pid) / "net/dev").read_text()
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        numbers = rest.split()
        if colon and name.strip() != "lo" and len(numbers) >= _FIELDS:
            f = [int(number) for number in numbers]
            found.append(InterfaceUse(name.strip(), f[0], f[1], f[2], f[3], f[8], f[9], f[10], f[11]))
    return found


def default_interface(proc: Path) -> str:
    """The interface of the default route, "" without one."""
    try:
        lines = (proc / "net/route").read_text().splitlines()[1:]
    except OSError:
        return ""
    routes = (line.split() for line in lines)
    return next((fields[0] for fields in routes if len(fields) > 1 and fields[1] == "00000000"), "")


def is_real(name: str) -> bool:
    """Whether cAdvisor tells of the interface on the machine itself: not of pods' ends and bridges."""
    return not name.startswith(("veth", "docker", "nerdctl", "cni", "cali", "br-", "wh-"))
