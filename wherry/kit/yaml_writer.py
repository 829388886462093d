"""Writing what JSON can say as one YAML document: `write`.

The bytes are those of `yaml.dump(value, sort_keys=False)`, but what it would build first, a tree of nodes
several times as large as the value, is left out: libyaml is told one event after another. That takes a third
of the time, leaves the garbage collector nothing to look at, and lets other threads run between two events.
No value gets an anchor: what stands in two places is written in both, as everybody else does it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

_STR = "tag:yaml.org,2002:str"
_PLAIN, _ANY = (True, False), (True, True)
_QUOTED = (False, True)
_resolve: Callable[..., str] = yaml.resolver.Resolver().resolve


def write(value: Any) -> bytes:
    """`value` (dicts, lists, tuples, texts, numbers, booleans, None) as YAML. Raises TypeError for others."""
    out = io.StringIO()
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)(out, default_flow_style=False)
    try:
        emit: Callable[[Event], None] = dumper.emit
        emit(StreamStartEvent())
        emit(DocumentStartEvent(explicit=False))
        _put(value, emit)
        emit(DocumentEndEvent(explicit=False))
        emit(StreamEndEvent())
    finally:
        dumper.dispose()
    return out.getvalue().encode()


def _put(value: Any, emit: Callable[[Event], None]) -> None:
    if isinstance(value, str):
        # A text that would be read as something else when it stands there plainly has to be quoted.
        reads_as_text = _resolve(yaml.ScalarNode, value, _PLAIN) == _STR
        emit(ScalarEvent(None, None, _ANY if reads_as_text else _QUOTED, value))
    elif isinstance(value, dict):
        emit(MappingStartEvent(None, None, True, flow_style=False))
        for key, item in value.items():
            _put(key, emit)
            _put(item, emit)
        emit(MappingEndEvent())
    elif isinstance(value, list | tuple):
        emit(SequenceStartEvent(None, None, True, flow_style=False))
        for item in value:
            _put(item, emit)
        emit(SequenceEndEvent())
    else:
        emit(ScalarEvent(None, None, _PLAIN, _word(value)))


def _word(value: Any) -> str:
    """A number, a boolean or nothing, as YAML says it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 takes 1e17 for a text.
        return text.replace("e", ".0e", 1) if "." not in text and "e" in text else text
    raise TypeError(f"YAML cannot say {type(value).__name__}")
