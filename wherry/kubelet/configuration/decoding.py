"""Files of kind KubeletConfiguration, and the drop-ins that change them, as fields by their dotted paths.

Source: pkg/kubelet/kubeletconfig/configfiles and cmd/kubelet/app (mergeKubeletConfigurations). A drop-in is
merged as a JSON merge patch (RFC 7386): maps field by field, lists as a whole, null takes away. What
upstream's strict decoding complains of is refused (upstream itself goes on without what it does not know).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wherry.kit.yaml_reader import YamlError, read_secret
from wherry.kubelet.configuration.fields import API_VERSION, BY_PATH, KIND, STRUCTS, Field
from wherry.objects.go_durations import parse_go_duration

DROP_IN = ".conf"
NAMED = {"taint": "v1.Taint", "period": "v1beta1.ShutdownGracePeriodByPodPriority"}
_INTEGERS = {"int32": 31, "int64": 63}


class ConfigurationError(ValueError):
    """The configuration cannot be followed; says in one line which file, which field, and why."""


def read_configuration(file: Path | None, folder: Path | None) -> dict[str, Any]:
    """What `file` says, changed by the drop-ins below `folder` in the order of their paths; by dotted path.

    Raises ConfigurationError, OSError.
    """
    found = merge({}, _read_file(file)) if file is not None else {}
    for path in _drop_ins(folder) if folder is not None else ():
        try:
            found = merge(found, _read_file(path))
        except ConfigurationError as error:
            raise ConfigurationError(f"failed to load kubelet dropin file, path: {error}") from None
    return _flat(found)


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` changed by a JSON merge patch."""
    merged = dict(base)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            below = merged.get(name)
            merged[name] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def _drop_ins(folder: Path) -> list[Path]:
    """The files called `*.conf` in the folder and below it, in the order upstream walks them."""
    found: list[Path] = []
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if path.is_dir() and not path.is_symlink():
            found += _drop_ins(path)
        elif path.suffix == DROP_IN:
            found.append(path)
    return found


def _read_file(path: Path) -> dict[str, Any]:
    """What one file says, checked. Raises ConfigurationError, OSError."""
    try:
        document = read_secret(path.read_bytes())
    except YamlError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    content = document.value
    given = content if isinstance(content, dict) else {}
    if (given.get("apiVersion"), given.get("kind")) != (API_VERSION, KIND):
        raise ConfigurationError(f"{path}: must be of apiVersion {API_VERSION} and kind {KIND}")
    complaints = list(document.repeated)
    said = {name: value for name, value in given.items() if name not in ("apiVersion", "kind")}
    _check(said, "", complaints, path)
    if complaints:
        raise ConfigurationError(f"{path}: strict decoding error: {', '.join(complaints)}")
    return said


def _check(given: Mapping[str, Any], above: str, complaints: list[str], file: Path) -> None:
    struct = STRUCTS.get(above, KIND) if above else KIND
    for name, value in given.items():
        path = f"{above}.{name}" if above else name
        if value is None:
            continue
        if path in BY_PATH:
            _check_value(BY_PATH[path], value, struct, file)
        elif path not in STRUCTS:
            complaints.append(f'unknown field "{path}"')
        elif not isinstance(value, dict):
            raise ConfigurationError(f"{file}: {_mismatch(value, struct, path, STRUCTS[path])}")
        else:
            _check(value, path, complaints, file)


def _check_value(field: Field, value: Any, struct: str, file: Path) -> None:
    """Raises ConfigurationError in the words of Go's decoder."""
    kind = field.kind.removeprefix("*")
    why = _wrong(kind, value, f"{struct}.{field.path}")
    if why:
        raise ConfigurationError(f"{file}: {why}")


def _wrong(kind: str, value: Any, where: str) -> str:
    """Why a value is not of a Go type, "" if it is."""
    if kind == "any" or value is None:
        return ""
    if kind.startswith("[]"):
        if not isinstance(value, list):
            return _unmarshal(value, where, kind)
        return next(filter(None, (_wrong(kind[2:], item, where) for item in value)), "")
    if kind.startswith("map[string]"):
        if not isinstance(value, dict):
            return _unmarshal(value, where, kind)
        below = kind.removeprefix("map[string]")
        return next(filter(None, (_wrong(below, item, where) for item in value.values())), "")
    if kind == "duration":
        if not isinstance(value, str):
            return f"json: cannot unmarshal {_go_value(value)} into Go value of type string"
        try:
            parse_go_duration(value)
        except ValueError as error:
            return str(error)
        return ""
    is_bool = isinstance(value, bool)
    fits = {
        "bool": is_bool,
        "string": isinstance(value, str),
        "float64": isinstance(value, int | float) and not is_bool,
        "period": isinstance(value, dict)
        and set(value) <= {"priority", "shutdownGracePeriodSeconds"}
        and all(isinstance(part, int) and not isinstance(part, bool) for part in value.values()),
        "taint": isinstance(value, dict) and all(isinstance(part, str) for part in value.values()),
    }
    if kind in _INTEGERS:
        ok = (
            isinstance(value, int) and not is_bool and -(1 << _INTEGERS[kind]) <= value < 1 << _INTEGERS[kind]
        )
    else:
        ok = fits[kind]
    return "" if ok else _unmarshal(value, where, NAMED.get(kind, kind))


def _mismatch(value: Any, struct: str, path: str, kind: str) -> str:
    return _unmarshal(value, f"{struct}.{path}", f"v1beta1.{kind}")


def _unmarshal(value: Any, where: str, kind: str) -> str:
    return f"json: cannot unmarshal {_go_value(value)} into Go struct field {where} of type {kind}"


def _go_value(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if isinstance(value, float) or abs(value) >= 1 << 31 else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _flat(given: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Fields by dotted path; what says nothing is left out."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        path = f"{above}.{name}" if above else name
        field = BY_PATH.get(path)
        if field is None:
            found |= _flat(value or {}, path)
        elif not says_nothing(field, value):
            found[path] = value
    return found


def says_nothing(field: Field, value: Any) -> bool:
    """Whether a value is the zero its Go type cannot tell from nothing."""
    if value is None:
        return True
    if field.kind == "any":
        return not value or _is_all_zero(value)
    if field.kind.startswith("*"):
        return False
    if field.kind == "duration":
        return parse_go_duration(value) == 0
    return value in ("", 0, [], {})


def _is_all_zero(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_all_zero(part) for part in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return not value
    return not value or value == "0" or value == "0s"
