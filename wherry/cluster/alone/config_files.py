"""A component's configuration file (`--config`), as the flags that say the same; a flag that is given wins.

Which field is which flag is data. As with flags, a field upstream has is followed, or said to change nothing,
or refused. Sources: k8s.io/kubelet/config/v1beta1 and k8s.io/kube-proxy/config/v1alpha1.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.cluster.alone.flags import FlagError, Values, parse
from wherry.kit.yaml_reader import YamlError, read
from wherry.objects.go_durations import parse_go_duration

log = logging.getLogger(__name__)

FLAG = "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigKind:
    """A kind of configuration file: its fields (dotted) by the flags that say the same.

    Those of `idle` change nothing; one ending in `.` stands for everything below it. Those of `defaults` are
    taken with that value, which is what happens in any case. A zero in one of `zeros` says nothing, as the
    defaults of the kind have it, and neither does an empty text, but for those of `empties`.
    """

    api_version: str
    kind: str
    fields: Mapping[str, str]
    idle: tuple[str, ...] = field(default=())
    zeros: frozenset[str] = frozenset()
    empties: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)


def with_file(values: Values, kind: ConfigKind) -> Values:
    """The flags with what the file of `--config`, if any, says. Raises FlagError, OSError."""
    file = values.path(FLAG)
    if file is None:
        return values
    try:
        document = read(file.read_bytes())
    except YamlError as error:
        raise FlagError(f"--{FLAG}: {file}: {error}") from None
    if document.repeated:
        raise FlagError(f"--{FLAG}: {file}: strict decoding error: {', '.join(document.repeated)}")
    content = document.value
    given = content if isinstance(content, dict) else {}
    if (given.get("apiVersion"), given.get("kind")) != (kind.api_version, kind.kind):
        raise FlagError(f"--{FLAG}: {file}: must be of apiVersion {kind.api_version} and kind {kind.kind}")
    said = []
    for path, value in _leaves(given, kind):
        flag = kind.fields.get(path)
        if flag is not None:
            said.append(f"--{flag}={value}")
        elif path in kind.defaults:
            if not _is_same(value, kind.defaults[path]):
                raise FlagError(
                    f"--{FLAG}: {file}: {path}: {value!r} is not followed here, it is always "
                    f"{kind.defaults[path]!r}; leave it out"
                )
        elif _is_idle(path, kind):
            log.warning("%s: %s changes nothing here", file, path)
        else:
            raise FlagError(f"--{FLAG}: {file}: {path} is not followed here; leave it out")
    found = parse(values.program, values.flags.values(), said)
    return Values(values.program, values.flags, {**found.given, **values.given})


def _leaves(given: Mapping[str, Any], kind: ConfigKind) -> Iterator[tuple[str, str]]:
    """Every field with its value as a flag has it; what says nothing is left out."""
    pending = [(name, value) for name, value in given.items() if name not in ("apiVersion", "kind")]
    while pending:
        path, value = pending.pop(0)
        if isinstance(value, dict) and path not in kind.fields:
            pending += [(f"{path}.{name}", below) for name, below in value.items()]
        elif value is None or value == [] or value == {} or (value == "" and path not in kind.empties):
            continue
        elif path not in kind.zeros or not _is_same(_text(value), "0"):
            yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{name}={_text(below)}" for name, below in value.items())
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value)


def _is_same(text: str, other: str) -> bool:
    """Whether two values are the same, as durations if they are some."""
    try:
        return parse_go_duration(text) == parse_go_duration(other)
    except ValueError:
        return text == other


def _is_idle(path: str, kind: ConfigKind) -> bool:
    return any(path == name or (name.endswith(".") and path.startswith(name)) for name in kind.idle)
