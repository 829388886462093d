"""Command lines as upstream's programs read them: which flags there are is data, complaints are pflag's.

Source: github.com/spf13/pflag, and k8s.io/component-base/cli/flag. A flag upstream has is never an unknown
one: it is followed; or one of its values alone is, and others are refused; or it is taken and said to change
nothing; or refused with what to do instead. What keeps somebody out changes nothing only where there is a
reason, which is said.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.integers import go_integer, go_real, parse_unsigned
from wherry.objects.go_durations import parse_go_duration

TEXT, NUMBER, REAL, DURATION, NAMES, PORTS = "string", "int", "float", "duration", "strings", "portRange"
SWITCH = ""
"""Kinds of values, as pflag's help calls them; a switch has none, for `--flag` alone means true."""
EMPTY_REFUSED, EMPTY_VALUE, EMPTY_DEFAULT = "refused", "value", "default"
"""What giving a flag of text as empty comes to, where it has a default."""
WIDTH = 100
MOST_PORT = 65535


class FlagError(ValueError):
    """The command line cannot be followed; the message is upstream's where it has one."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its name without dashes, what it means, the kind of its value and its default.

    Of one with `only` these values are what happens in any case; others are refused, with `why`. One that
    `is_idle` is taken since scripts pass it, and said to change nothing (`why`, if that is not plain).
    `refused` says why another cannot be followed, and what to do. `short` is its letter. `empty` says what an
    empty text means, which is not what leaving the flag out does.
    """

    name: str
    help: str = ""
    kind: str = TEXT
    default: str = ""
    short: str = ""
    is_idle: bool = False
    only: tuple[str, ...] = ()
    why: str = ""
    refused: str = ""
    empty: str = EMPTY_REFUSED


LOGGED = ("vmodule",)
DEBUG_FROM = 4
"""From this `-v` on everything is logged, as klog's debug level."""
VERSION = Flag("version", "Say which version this is, and end.", SWITCH)
VERBOSITY = Flag("v", "How much is logged: 4 and more means everything.", NUMBER, "0", short="v")


def idle(*names: str, kind: str = TEXT, why: str = "") -> tuple[Flag, ...]:
    """Flags that are taken and change nothing, and why that is no loss."""
    text = f"Taken; changes nothing here{f': {why}' if why else ''}."
    return tuple(Flag(name, text, kind, is_idle=True, why=why) for name in names)


LOGGING = (
    *idle("log-json-info-buffer-size", "log-text-info-buffer-size", "log-flush-frequency", "logging-format"),
    *idle("vmodule"),
    *idle("log-json-split-stream", "log-text-split-stream", kind=SWITCH),
    VERBOSITY,
    VERSION,
)
"""Those of every component (k8s.io/component-base, logs/api/v1 and version/verflag)."""
METRICS = idle(
    *("allow-metric-labels", "allow-metric-labels-manifest", "disabled-metrics"),
    "show-hidden-metrics-for-version",
)
"""Those of what is measured (k8s.io/component-base, metrics)."""
NO_HTTP2 = (
    *idle("http2-max-streams-per-connection", kind=NUMBER, why="there is no HTTP/2 here"),
    *idle("disable-http2-serving", kind=SWITCH, why="there is no HTTP/2 here"),
)
OTHER_LEVELS = "one level of the API is served; leave the flag out"
OTHER_CERTIFICATES = "one certificate is served; put all names into it, and leave the flag out"


def refused(*names: str, why: str, kind: str = TEXT) -> tuple[Flag, ...]:
    """Flags that cannot be followed, and what to do."""
    return tuple(Flag(name, kind=kind, refused=why) for name in names)


def only(name: str, value: str, why: str, kind: str = TEXT) -> Flag:
    """A flag of which one value alone is followed; `why` ends the sentence that refuses others."""
    return Flag(name, f"{value or 'Nothing'} alone: {why}.", kind, only=(value,), why=why)


@dataclass(frozen=True, slots=True)
class Values:
    """What a command line said: texts by flag, the last of each. Every value fits its flag's kind."""

    program: str
    flags: Mapping[str, Flag]
    given: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Whether the flag was given."""
        return name in self.given

    def text(self, name: str) -> str:
        """The value, or the default. What was given may be empty."""
        flag = self.flags[name]
        given = self.given.get(name, flag.default)
        return given if given or flag.empty == EMPTY_VALUE else flag.default

    def is_on(self, name: str) -> bool:
        """A switch's value."""
        return _switch(self.text(name) or "false")

    def number(self, name: str) -> int:
        """A number's value."""
        return go_integer(self.text(name) or "0")

    def real(self, name: str) -> float:
        """A number's value that may have a fraction."""
        return go_real(self.text(name) or "0")

    def seconds(self, name: str) -> float:
        """A duration's value."""
        return parse_go_duration(self.text(name) or "0") / 1e9

    def names(self, name: str) -> tuple[str, ...]:
        """A list's values."""
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def ports(self, name: str) -> tuple[int, int]:
        """The first and last port of a range."""
        return _ports(self.text(name))

    def path(self, name: str) -> Path | None:
        """A file's path, None when there is none."""
        return Path(self.text(name)) if self.text(name) else None

    @property
    def idle(self) -> list[str]:
        """The flags that were given and change nothing; how much is logged is nobody's worry."""
        return [name for name in self.given if self.flags[name].is_idle and name not in LOGGED]

    @property
    def warnings(self) -> list[str]:
        """A line for each of these."""
        whys = ((name, self.flags[name].why) for name in self.idle)
        return [f"--{name} changes nothing here{f': {why}' if why else ''}" for name, why in whys]


def parse(program: str, flags: Iterable[Flag], arguments: Sequence[str]) -> Values:
    """The flags in `--name=value`, `--name value`, `-v=4` and `--switch` form. Raises FlagError."""
    known = {flag.name: flag for flag in flags}
    short = {flag.short: flag for flag in known.values() if flag.short}
    given: dict[str, str] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "--" and not left:
            break
        if not argument.startswith("-") or argument in ("-", "--"):
            command = left[0] if argument == "--" else argument
            raise FlagError(f'unknown command "{command}" for "{program}"')
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            flag = known.get(name.replace("_", "-"))  # cliflag.WordSepNormalizeFunc
        else:
            name, rest = argument[1], argument[2:]
            flag, equals = short.get(name), rest[:1]
            value = rest.removeprefix("=")
        if flag is None:
            letter = f"unknown shorthand flag: {name!r} in {argument}"
            raise FlagError(f"unknown flag: --{name}" if argument.startswith("--") else letter)
        if flag.refused:
            raise FlagError(f"--{flag.name}: {flag.refused}")
        if not equals:
            if flag.kind == SWITCH:
                value = "true"
            elif not left:
                raise FlagError(f"flag needs an argument: --{flag.name}")
            else:
                value = left.pop(0)
        _check(flag, value)
        # A list that is given in pieces is one list (pflag's StringSlice).
        before = given.get(flag.name, "") if flag.kind == NAMES else ""
        given[flag.name] = f"{before},{value}" if before else value
    return Values(program, known, given)


def help_text(summary: str, flags: Iterable[Flag]) -> str:
    """What `--help` prints, in pflag's form: a line for each flag, with what it means below."""
    return "\n".join([summary, "", "Flags:", *flag_lines(flags)]) + "\n"


def flag_lines(flags: Iterable[Flag]) -> list[str]:
    """A line for each flag, with what it means below."""
    lines = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        if flag.refused:
            continue
        letter = f"-{flag.short}, " if flag.short else "    "
        lines.append(f"  {letter}--{flag.name} {flag.kind}".rstrip())
        meaning = flag.help + (f" (default {_shown(flag)})" if flag.default else "")
        lines += textwrap.wrap(meaning, WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12)
    return lines


def invalid(name: str, value: str, why: str) -> FlagError:
    """pflag's complaint about a value."""
    return FlagError(f'invalid argument {_quoted(value)} for "--{name}" flag: {why}')


def _check(flag: Flag, value: str) -> None:
    check = _CHECKS.get(flag.kind)
    if check is not None:
        try:
            check(value)
        except ValueError as error:
            raise invalid(flag.name, value, str(error)) from None
    if not value and flag.default and flag.kind in _TEXTS and flag.empty == EMPTY_REFUSED:
        raise FlagError(f"--{flag.name} is empty; leave the flag out for {flag.default!r}")
    if flag.only and not any(_is_same(flag.kind, value, one) for one in flag.only):
        raise FlagError(f"--{flag.name}: {value!r} is not followed here: {flag.why}; leave the flag out")


def _is_same(kind: str, value: str, other: str) -> bool:
    if kind == SWITCH:
        return _switch(value) == _switch(other)
    if kind == DURATION:
        return parse_go_duration(value) == parse_go_duration(other)
    if kind == REAL:
        return go_real(value) == go_real(other)
    if kind == NAMES:
        return sorted(filter(None, value.split(","))) == sorted(filter(None, other.split(",")))
    return value == other


def _switch(text: str) -> bool:
    """Go's strconv.ParseBool."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError(f"strconv.ParseBool: parsing {_quoted(text)}: invalid syntax")


def _ports(text: str) -> tuple[int, int]:
    """A range: "1-9", "1+8" or "1" (k8s.io/apimachinery, util/net.PortRange). Raises ValueError."""
    first, sign, rest = text.partition("+") if "+" in text else text.partition("-")
    low, other = parse_unsigned(first.strip(), 16), parse_unsigned(rest.strip(), 16)
    if low is None or (sign and other is None):
        raise ValueError(f"unable to parse port range: {text}")
    high = low if other is None else other + (low if sign == "+" else 0)
    if high > MOST_PORT:
        raise ValueError(f"the port range cannot be greater than {MOST_PORT}: {text}")
    if high < low:
        raise ValueError(f"end port cannot be less than start port: {text}")
    return low, high


_TEXTS = (TEXT, NAMES, PORTS)
_CHECKS: Mapping[str, Callable[[str], object]] = {
    SWITCH: _switch,
    NUMBER: go_integer,
    REAL: go_real,
    DURATION: parse_go_duration,
    PORTS: lambda text: _ports(text) if text else None,
}


def _shown(flag: Flag) -> str:
    return _quoted(flag.default) if flag.kind == TEXT else flag.default


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
