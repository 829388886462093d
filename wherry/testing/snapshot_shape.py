"""What was unpacked of a snapshot's file, judged before anything is made of it: `settings_of`, `moment_of`.

A file may have been cut, mended by hand, or written by something else that has the same version. Whatever is
not what a cluster keeps is refused by the field it stands in, as ShapeError.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from wherry.hollow.machines import NodeTemplate
from wherry.hollow.outcomes import Chosen, Evicted, Exits, NodeOutcome, Outcome
from wherry.hollow.stages import Stage
from wherry.objects.nesting import MANAGED_DEPTH, MAX_DEPTH, MOST_CONTAINERS, has_more_values, is_too_deep
from wherry.store.base import Entry, Event
from wherry.store.memory import Image
from wherry.store.retention import Retention
from wherry.testing.moment import Moment
from wherry.testing.settings import EARLIEST_YEAR, LATEST_YEAR, Settings

T = TypeVar("T")
KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (NodeTemplate, Outcome, NodeOutcome, Chosen, Exits, Evicted)
}
KIND = "kind of settings"
"""The field of a map that says which of `KINDS` it is."""
LONGEST_SHOWN = 40
MOST_REVISION = (1 << 63) - 1
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
_WORDS |= {dict: "a map", NoneType: "null"}


class ShapeError(ValueError):
    """The document is not one that `write_snapshot` makes; the message names the field."""


def settings_of(document: object) -> Settings:
    """The settings a document says. Raises ShapeError."""
    found: Settings = _dataclass(Settings, _map(document, "settings"), "settings")
    if found.crds or found.objects:
        raise ShapeError("settings: crds and objects must be empty: what they made is in the store")
    return found


def moment_of(document: Mapping[str, Any]) -> Moment:
    """The moment a document says. Raises ShapeError."""
    return Moment(
        _image(_map(_field(document, "store", ""), "store")),
        _moment(_field(document, "wall", ""), "wall"),
        _random_state(_field(document, "random", "")),
        is_founded=False,
    )


def text_of(document: Mapping[str, Any], name: str) -> str:
    """A text of the document itself. Raises ShapeError."""
    found: str = _plain(str, _field(document, name, ""), name)
    return found


# Settings, by the types their fields have


def _typed(hint: Any, value: object, where: str) -> Any:
    if hint is Any:
        return value
    if hint is datetime:
        return _moment(value, where)
    if hint in (str, bool, int, float, NoneType):
        return _plain(hint, value, where)
    if isinstance(hint, type) and hint in KINDS.values():
        content = _map(value, where)
        if content.get(KIND) != hint.__name__:
            raise ShapeError(f"{where}: must be of kind {hint.__name__}, is {_shown(content.get(KIND))}")
        return _dataclass(hint, {name: one for name, one in content.items() if name != KIND}, where)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _any_of(parts, value, where)
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return {name: _typed(parts[1], one, f"{where}.{name}") for name, one in _map(value, where).items()}
    return tuple(
        _typed(parts[0], one, f"{where}[{index}]") for index, one in enumerate(_plain(list, value, where))
    )


def _any_of(hints: Sequence[Any], value: object, where: str) -> Any:
    """The value as the one of several types it can only be, by what it is in JSON."""
    if isinstance(value, dict):
        named = [hint for hint in hints if getattr(hint, "__name__", "") == value.get(KIND)]
        if not named:
            raise ShapeError(f"{where}.{KIND}: {_shown(value.get(KIND))} is not known here")
        return _typed(named[0], value, where)
    # A path's text was kept, and a stage made in Python cannot be.
    plain = [hint for hint in hints if hint not in (Path, Stage)]
    for hint in plain:
        if _is_of(hint, value):
            return _typed(hint, value, where)
    words = " or ".join(sorted({_WORDS.get(_json_type(hint), "a map") for hint in plain}))
    raise ShapeError(f"{where}: must be {words}, is {_shown(value)}")


def _json_type(hint: Any) -> Any:
    if hint in _WORDS:
        return hint
    if hint is datetime:
        return str
    origin = get_origin(hint)
    return list if origin is not None and not issubclass(origin, Mapping) else dict


def _is_of(hint: Any, value: object) -> bool:
    kind = _json_type(hint)
    return type(value) is kind or (kind is float and type(value) is int)


def _dataclass(kind: type[T], content: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    for name in content:
        if name not in known:
            raise ShapeError(f"{where}.{name}: unknown field")
    for name, one in known.items():
        if name not in content and (kind is Settings or (one.default is one.default_factory is MISSING)):
            raise ShapeError(f"{where}.{name}: is missing")
    values = {name: _typed(hints[name], one, f"{where}.{name}") for name, one in content.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise ShapeError(f"{where}.{error}") from None


# The store, and what else a moment is


def _image(document: Mapping[str, Any]) -> Image:
    """The store's content: what is related in it is related as a store keeps it."""
    revision, compacted = (_whole(_field(document, name, "store"), f"store.{name}") for name in _BOUNDS)
    if compacted > revision:
        raise ShapeError(f"store.compacted: {compacted} is after the revision, {revision}")
    entries = _list_of(document, "entries", lambda value, where: _entry(value, where, revision))
    current: dict[str, Entry] = {}
    for index, entry in enumerate(_list_of(document, "current", lambda one, where: _of(entries, one, where))):
        where = f"store.current[{index}]"
        if current and entry.key <= next(reversed(current)):
            raise ShapeError(f"{where}: {_shown(entry.key)} is not after the key before it")
        _check_object(entry, where)
        current[entry.key] = entry
    log = _list_of(document, "log", lambda value, where: _event(value, where, entries))
    _check_log(log, compacted)
    _check_related(current, log, revision, compacted)
    retention = _plain(list, _field(document, "retention", "store"), "store.retention")
    if len(retention) != 2:
        raise ShapeError(f"store.retention: must be two numbers, is {_shown(retention)}")
    return Image(
        Retention(
            _plain(float, retention[0], "store.retention[0]"), _whole(retention[1], "store.retention[1]")
        ),
        current,
        tuple(current),
        tuple(log),
        tuple(_list_of(document, "expiries", _expiry)),
        revision,
        compacted,
    )


_BOUNDS = ("revision", "compacted")
FIRST_REVISION = 1
"""A store's before anything was written."""


def _entry(value: object, where: str, most: int) -> Entry:
    key, packed, revision, created = _parts(value, where, 4)
    try:
        content = base64.b64decode(_plain(str, packed, f"{where}[1]"), validate=True)
    except binascii.Error as error:
        raise ShapeError(f"{where}[1]: {error}") from None
    made, first = _whole(revision, f"{where}[2]"), _whole(created, f"{where}[3]")
    if not 0 < first <= made <= most:
        raise ShapeError(f"{where}: revisions {first} to {made} are not within 1 and {most}")
    return Entry(_plain(str, key, f"{where}[0]"), content, made, first)


def _event(value: object, where: str, entries: Sequence[Entry]) -> Event:
    after, before, deleted = _parts(value, where, 3)
    entry = _of(entries, after, f"{where}[0]")
    previous = None if before is None else _of(entries, before, f"{where}[1]")
    if previous is not None and (previous.key != entry.key or previous.revision >= entry.revision):
        raise ShapeError(f"{where}: the version before is of another key, or not before")
    is_deletion = _plain(bool, deleted, f"{where}[2]")
    if not is_deletion:
        _check_object(entry, where)
    elif previous is None or entry.value:
        raise ShapeError(f"{where}: a deletion of nothing, or with a value")
    return Event(entry, previous, is_deletion)


def _check_log(log: Sequence[Event], compacted: int) -> None:
    last = compacted
    for index, event in enumerate(log):
        if event.entry.revision <= last:
            raise ShapeError(f"store.log[{index}]: revision {event.entry.revision} is not after {last}")
        last = event.entry.revision


def _check_related(current: Mapping[str, Entry], log: Sequence[Event], revision: int, compacted: int) -> None:
    """What there is now is what the log of the latest changes leaves, and the log ends with the last one."""
    last = log[-1].entry.revision if log else max(compacted, FIRST_REVISION)
    if last != revision:
        raise ShapeError(f"store.log: ends with revision {last}, the store has {revision}")
    latest = {event.entry.key: event for event in log}
    for key, event in latest.items():
        found = current.get(key)
        if (found is None) != event.deleted or (found and found.revision != event.entry.revision):
            raise ShapeError(f"store.current: {_shown(key)} is not what the log says last of it")
    for key, entry in current.items():
        if entry.revision > compacted and key not in latest:
            raise ShapeError(
                f"store.current: {_shown(key)} was changed after {compacted}, the log has it not"
            )


def _check_object(entry: Entry, where: str) -> None:
    if has_more_values(entry.value, MOST_CONTAINERS):
        raise ShapeError(f"{where}: what {_shown(entry.key)} holds has more than {MOST_CONTAINERS} values")
    try:
        content = orjson.loads(entry.value)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("metadata"), dict):
        raise ShapeError(f"{where}: what {_shown(entry.key)} holds is no object")
    *_, before, name = ("", *entry.key.split("/"))
    meta = content["metadata"]
    if meta.get("name") != name or meta.get("namespace") not in (None, before):
        raise ShapeError(f"{where}: what {_shown(entry.key)} holds is another object")
    # Only what has so many brackets can be so deep.
    deepest = MAX_DEPTH + MANAGED_DEPTH
    if entry.value.count(b"{") + entry.value.count(b"[") > deepest and is_too_deep(content, deepest):
        raise ShapeError(f"{where}: what {_shown(entry.key)} holds is more than {deepest} levels deep")


def _expiry(value: object, where: str) -> tuple[float, str, int]:
    moment, key, revision = _parts(value, where, 3)
    return (
        _plain(float, moment, f"{where}[0]"),
        _plain(str, key, f"{where}[1]"),
        _whole(revision, f"{where}[2]"),
    )


def _random_state(value: object) -> Any:
    version, numbers, drawn = _parts(value, "random", 3)
    state = (version, tuple(_plain(list, numbers, "random[1]")), drawn)
    if drawn is not None and type(drawn) is not float:
        raise ShapeError(f"random[2]: must be a number or null, is {_shown(drawn)}")
    try:
        Random(0).setstate(state)  # noqa: S311 - only to hear whether it can be
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"random: {error}") from None
    return state


# Parts of a document


def _field(document: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in document:
        raise ShapeError(f"{where}.{name}: is missing" if where else f"{name}: is missing")
    return document[name]


def _map(value: object, where: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _plain(dict, value, where)
    return found


def _list_of(document: Mapping[str, Any], name: str, read: Callable[[object, str], T]) -> list[T]:
    where = f"store.{name}"
    values = _plain(list, _field(document, name, "store"), where)
    return [read(value, f"{where}[{index}]") for index, value in enumerate(values)]


def _parts(value: object, where: str, count: int) -> list[Any]:
    found: list[Any] = _plain(list, value, where)
    if len(found) != count:
        raise ShapeError(f"{where}: must be {count} values, is {len(found)}")
    return found


def _of(entries: Sequence[Entry], value: object, where: str) -> Entry:
    number = _whole(value, where)
    if number >= len(entries):
        raise ShapeError(f"{where}: there is no entry {number}")
    return entries[number]


def _whole(value: object, where: str) -> int:
    found: int = _plain(int, value, where)
    if not 0 <= found <= MOST_REVISION:
        raise ShapeError(f"{where}: {found} is not between 0 and 2^63")
    return found


def _moment(value: object, where: str) -> datetime:
    text: str = _plain(str, value, where)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ShapeError(f"{where}: {error}") from None
    if found.tzinfo is None:
        raise ShapeError(f"{where}: {text} has no time zone")
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        raise ShapeError(f"{where}: {text} is not within the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    return found


def _plain(kind: type[Any], value: object, where: str) -> Any:
    """The value, which must be of this type of JSON; one with a fraction must be finite and not negative."""
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise ShapeError(f"{where}: must be {_WORDS[kind]}, is {_shown(value)}")
    if kind is float and not 0 <= float(str(value)) < math.inf:
        raise ShapeError(f"{where}: {value} is not a number from 0 on")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
