"""CoreDNS's configuration, as far as it is followed here: stub domains, hosts, forwards, and a few settings.

Source: https://coredns.io/manual/configuration/ and the plugins' pages. Whatever else a Corefile says is told
to be unsupported, line by line, and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from wherry.dns.forward import Upstream
from wherry.dns.wire import name_of_text
from wherry.kit.integers import parse_unsigned

LONGEST_TTL_S = 3600
LONGEST = 64 * 1024
"""Bytes of a Corefile that are read."""
QUIET = frozenset(
    ("errors", "health", "ready", "prometheus", "loop", "reload", "loadbalance", "log", "cache")
)
"""Plugins whose work is done here anyway, or is not missed.

CoreDNS's default Corefile is nothing to complain of.
"""
NODES_OWN = "/etc/resolv.conf"


@dataclass(slots=True)
class Corefile:
    """What is followed. `forwards` are the servers by domain on the wire; the root's ("\\0") are for all
    others.

    None, or no entry for the root, means the node's own; an empty one that nobody is asked, since what was
    named cannot be. `hosts` are addresses by name. `ttl_s` is that of the cluster's records. `has_autopath`
    says that search paths are to be finished here. `unsupported` are lines that are not followed, each with
    its number.
    """

    forwards: dict[bytes, tuple[Upstream, ...] | None] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    ttl_s: int = 30
    has_autopath: bool = False
    unsupported: list[str] = field(default_factory=list)


class CorefileError(ValueError):
    """A Corefile that cannot be read; the text names the line."""


@dataclass(slots=True)
class _Line:
    number: int
    words: list[str]
    block: list[_Line] = field(default_factory=list)


def read_corefile(text: str, domain: str) -> Corefile:
    """What a Corefile says of a cluster whose domain is `domain`. Raises CorefileError."""
    if len(text.encode(errors="replace")) > LONGEST:
        raise CorefileError(f"longer than {LONGEST} bytes")
    read = Corefile()
    for server in _blocks(text):
        for word in server.words:
            zone, port = _zone(word, server.number)
            if port not in ("", "53"):
                read.unsupported.append(f"line {server.number}: port {port}")
                continue
            for line in server.block:
                _follow(read, zone, line, domain)
    return read


def _follow(read: Corefile, zone: str, line: _Line, domain: str) -> None:
    plugin, *words = line.words
    match plugin:
        case "forward":
            _forward(read, zone, line)
        case "kubernetes":
            _kubernetes(read, line, domain)
        case "hosts" if not words or not words[0].startswith("/"):
            _hosts(read, line)
        case "autopath" if words == ["@kubernetes"]:
            read.has_autopath = True
        case _ if plugin in QUIET:
            pass
        case _:
            read.unsupported.append(f"line {line.number}: {' '.join(line.words)}")


def _forward(read: Corefile, zone: str, line: _Line) -> None:
    _, *words = line.words
    if not words:
        raise CorefileError(f"line {line.number}: forward needs a domain and servers")
    what, *to = words
    base = zone if what in (".", zone) else what
    servers = []
    for word in to:
        if word == NODES_OWN:
            continue
        scheme, _, rest = word.rpartition("://")
        if scheme not in ("", "dns"):
            read.unsupported.append(f"line {line.number}: forward by {scheme}")
            continue
        servers.append(_upstream(rest, line.number))
    read.unsupported += [
        f"line {option.number}: {' '.join(option.words)}"
        for option in line.block
        if option.words[0] not in ("max_concurrent", "policy", "health_check", "expire", "max_fails")
    ]
    read.forwards[_name(base, line.number)] = None if NODES_OWN in to and not servers else tuple(servers)


def _kubernetes(read: Corefile, line: _Line, domain: str) -> None:
    zones = [word.rstrip(".") for word in line.words[1:]]
    if zones and domain not in zones:
        read.unsupported.append(f"line {line.number}: the cluster's domain is {domain}")
    for option in line.block:
        match option.words:
            case ["ttl", text] if (seconds := parse_unsigned(text)) is not None and seconds <= LONGEST_TTL_S:
                read.ttl_s = seconds
            case ["pods", "insecure"] | ["fallthrough", *_]:
                pass
            case words:
                read.unsupported.append(f"line {option.number}: {' '.join(words)}")


def _hosts(read: Corefile, line: _Line) -> None:
    for entry in line.block:
        first, *names = entry.words
        if first in ("fallthrough", "ttl", "reload", "no_reverse"):
            continue
        try:
            address = str(ip_address(first.partition("%")[0]))
        except ValueError:
            raise CorefileError(f"line {entry.number}: {first!r} is not an address") from None
        for name in names:
            _name(name, entry.number)
            read.hosts.setdefault(name.lower().rstrip("."), []).append(address)


def _zone(word: str, number: int) -> tuple[str, str]:
    zone, _, port = word.removeprefix("dns://").partition(":")
    _name(zone or ".", number)
    return (zone or ".").lower(), port


def _name(text: str, number: int) -> bytes:
    try:
        return name_of_text(text)
    except ValueError as error:
        raise CorefileError(f"line {number}: {text!r} is not a name: {error}") from None


def _upstream(text: str, number: int) -> Upstream:
    bare = re.fullmatch(r"\[([^]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?", text)
    try:
        if bare is None:
            return Upstream(str(ip_address(text)))
        host, port = bare[1] or bare[3], parse_unsigned(bare[2] or bare[4] or "53", 16)
        if not port:
            raise ValueError
        return Upstream(str(ip_address(host)), port)
    except ValueError:
        raise CorefileError(f"line {number}: {text!r} is not an address of a server") from None


def _blocks(text: str) -> Iterator[_Line]:
    """The server blocks, each with its lines."""
    open_lines: list[_Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if words == ["}"]:
            if not open_lines:
                raise CorefileError(f"line {number}: }} without {{")
            done = open_lines.pop()
            if not open_lines:
                yield done
            continue
        has_block = words[-1] == "{"
        found = _Line(number, words[:-1] if has_block else words)
        if not found.words or (not open_lines and not has_block) or len(open_lines) > 3:
            raise CorefileError(f"line {number}: {line.strip()!r} cannot be read")
        if open_lines:
            open_lines[-1].block.append(found)
        if has_block:
            open_lines.append(found)
    if open_lines:
        raise CorefileError(f"line {open_lines[-1].number}: {{ without }}")
