"""Manifests as tests give them: YAML text, files, folders, objects, or lists of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from wherry.kit.given_files import read_given
from wherry.kit.yaml_reader import YamlError, read
from wherry.objects.meta import Object

SUFFIXES = (".yaml", ".yml", ".json")
FIRST = ("CustomResourceDefinition", "Namespace", "PriorityClass", "ServiceAccount")
"""Kinds others depend on; of several manifests they are applied first."""


GIVEN = "the YAML given"
GIVEN_OBJECT = "the object given"


class ManifestError(ValueError):
    """What was given is no manifest; the message says where and why."""


def read_manifests(source: Any, is_given_up: Callable[[], bool] = lambda: False) -> list[Object]:
    """The objects in `source`, lists taken apart. Not to be called on an event loop: a file may be a pipe.

    Raises ManifestError, and GivenUpError when it `is_given_up`.
    """
    found = list(_read(source, is_given_up))
    return sorted(found, key=lambda obj: FIRST.index(obj["kind"]) if obj["kind"] in FIRST else len(FIRST))


def _read(source: Any, is_given_up: Callable[[], bool]) -> Iterator[Object]:
    if isinstance(source, Path):
        yield from _some(_read_path(source, is_given_up), str(source))
    elif isinstance(source, str):
        if "\n" not in source and source.endswith(SUFFIXES):
            yield from _some(_read_path(Path(source), is_given_up), source)
        else:
            yield from _some(_read_text(source, GIVEN), GIVEN)
    elif isinstance(source, Mapping):
        yield from _some(_take_apart(source, GIVEN_OBJECT), GIVEN_OBJECT)
    elif isinstance(source, Sequence):
        for part in source:
            yield from _read(part, is_given_up)
    else:
        raise ManifestError(f"{type(source).__name__} is no manifest; give YAML, a path, an object or a list")


def _some(objects: Iterator[Object], where: str) -> Iterator[Object]:
    """The objects. None is an error, as to kubectl ("no objects passed to apply"); a list may be empty."""
    first = next(objects, None)
    if first is None:
        raise ManifestError(f"{where}: there are no objects in it; give a manifest of one at least")
    yield first
    yield from objects


def _read_path(path: Path, is_given_up: Callable[[], bool]) -> Iterator[Object]:
    if path.is_dir():
        for part in sorted(path.iterdir()):
            if part.suffix in SUFFIXES:
                yield from _read_path(part, is_given_up)
        return
    try:
        text = read_given(path, is_given_up)
    except OSError as error:
        raise ManifestError(
            f"{path}: {error.strerror}; give the path of a manifest or a folder"
        ) from None  # the message has all of it
    except UnicodeError:
        raise ManifestError(f"{path}: it is no text in UTF-8; give a manifest in YAML or JSON") from None
    yield from _read_text(text, str(path))


def _read_text(text: str, where: str) -> Iterator[Object]:
    for number, part in enumerate(_documents(text, where), 1):
        place = f"{where}, document {number}"
        try:
            value = read(part).value
        except YamlError as error:
            raise ManifestError(f"{place}: {error}") from None  # the message has all of it
        if value is not None:
            if isinstance(value, str) and where == GIVEN and "\n" not in text:
                raise ManifestError(f"{value!r} is no YAML of an object; give a file or folder as a Path")
            if not isinstance(value, dict):
                raise ManifestError(f"{place}: a {type(value).__name__} is no object")
            yield from _take_apart(value, place)


def _documents(text: str, where: str) -> Iterator[str]:
    """The texts of the YAML documents in `text`."""
    begin = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.DocumentEndEvent):
                end = event.end_mark.index if event.end_mark is not None else len(text)
                yield text[begin:end]
                begin = end
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise ManifestError(
            f"{where}: not valid YAML{line}: {problem}"
        ) from None  # the message has all of it


def _take_apart(value: Mapping[str, Any], where: str) -> Iterator[Object]:
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str) or not value[field]:
            raise ManifestError(f"{where}: {field} is missing")
    if value["kind"].endswith("List") and isinstance(value.get("items"), list):
        for number, item in enumerate(value["items"]):
            if not isinstance(item, Mapping):
                raise ManifestError(f"{where}: items[{number}] is no object")
            yield from _take_apart(item, f"{where}, items[{number}]")
        return
    try:
        copied: Object = orjson.loads(orjson.dumps(value))
    except TypeError as error:
        raise ManifestError(f"{where}: {error}") from None  # the message has all of it
    yield copied
