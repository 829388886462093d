"""CredentialProviderConfig: which programs are asked for credentials of which images.

Source: pkg/credentialprovider/plugin/config.go (with its texts), k8s.io/kubelet/config/v1 and the older ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wherry.kit.yaml_reader import YamlError, read_secret
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.names import qualified_name_errors

GROUP, KIND = "kubelet.config.k8s.io", "CredentialProviderConfig"
VERSIONS = tuple(f"{GROUP}/{version}" for version in ("v1", "v1alpha1", "v1beta1"))
PLUGIN_GROUP = "credentialprovider.kubelet.k8s.io"
PLUGIN_V1 = f"{PLUGIN_GROUP}/v1"
PLUGIN_VERSIONS = tuple(f"{PLUGIN_GROUP}/{version}" for version in ("v1", "v1alpha1", "v1beta1"))
CACHE_TYPES = ("ServiceAccount", "Token")
SUFFIXES = (".json", ".yaml", ".yml")
LARGEST_BYTES = 1 << 20


class ProvidersError(ValueError):
    """The configuration cannot be used; says in one line which file and field, never what is in `env`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAttributes:
    """The pod's service account token a plug-in gets, and what of the account's annotations."""

    audience: str
    requires_account: bool
    required: Sequence[str] = ()
    optional: Sequence[str] = ()
    is_cached_by_token: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialProvider:
    """One plug-in: the program at `path`, asked about images that match. Times are in seconds."""

    name: str
    path: Path
    api_version: str
    match_images: Sequence[str]
    cache_s: float
    args: Sequence[str] = ()
    env: Sequence[tuple[str, str]] = field(default=(), repr=False)
    token: TokenAttributes | None = None


def read_providers(config: Path | None, folder: Path | None) -> tuple[CredentialProvider, ...]:
    """The plug-ins of a configuration (a file, or a folder of them) whose programs lie in `folder`.

    Raises ProvidersError, in upstream's words.
    """
    if config is None and folder is None:
        return ()
    if folder is None or not folder.exists():
        raise ProvidersError(f"plugin binary directory {folder or ''} did not exist")
    if config is None:
        raise ProvidersError("credential provider config path is empty")
    given = [one for file in _files(config) for one in _decoded(file)]
    names = [one.get("name") or "" for one in given]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise ProvidersError(f'duplicate provider name "{twice}" found in configuration file(s)')
    complaints = list(_complaints(given))
    if complaints:
        shown = complaints[0] if len(complaints) == 1 else f"[{', '.join(complaints)}]"
        raise ProvidersError(f"failed to validate credential provider config: {shown}")
    return tuple(_provider(one, folder) for one in given)


def _files(config: Path) -> list[Path]:
    try:
        if not config.stat() or not config.is_dir():
            return [config]
        found = sorted(path for path in config.iterdir() if path.suffix in SUFFIXES and not path.is_dir())
    except OSError as error:
        raise ProvidersError(f'unable to access path "{config}": {error.strerror}') from None
    if not found:
        raise ProvidersError(f'no configuration files found in directory "{config}"')
    return found


def _decoded(file: Path) -> list[dict[str, Any]]:
    """The providers in one file, every field of its type. Raises ProvidersError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ProvidersError(f'unable to read file "{file}": {error.strerror}') from None
    try:
        if len(content) > LARGEST_BYTES:
            raise _Fault(f"larger than {LARGEST_BYTES >> 20} MiB")
        document = read_secret(content)
        return _checked(document.value, document.repeated)
    except (YamlError, _Fault) as error:
        why = str(error)
    raise ProvidersError(f'error decoding config "{file}": {why}') from None


class _Fault(ValueError):
    """What is wrong with a document."""


_STRING, _STRINGS = "string", "[]string"
_PROVIDER = {
    "name": _STRING,
    "matchImages": _STRINGS,
    "defaultCacheDuration": "duration",
    "apiVersion": _STRING,
    "args": _STRINGS,
    "env": "[]env",
    "tokenAttributes": "attributes",
}
_ATTRIBUTES = {
    "serviceAccountTokenAudience": _STRING,
    "cacheType": _STRING,
    "requireServiceAccount": "bool",
    "requiredServiceAccountAnnotationKeys": _STRINGS,
    "optionalServiceAccountAnnotationKeys": _STRINGS,
}
_ENV = {"name": _STRING, "value": _STRING}


def _checked(value: Any, repeated: Sequence[str]) -> list[dict[str, Any]]:
    given = value if isinstance(value, dict) else {}
    version, kind = given.get("apiVersion"), given.get("kind")
    if kind != KIND or version not in VERSIONS:
        raise _Fault(f"must be of apiVersion {VERSIONS[0]} and kind {KIND}")
    providers = given.get("providers") or []
    if not isinstance(providers, list):
        raise _Fault("providers must be a list")
    unknown = [name for name in given if name not in ("apiVersion", "kind", "providers")]
    complaints = [*repeated, *(f'unknown field "{name}"' for name in unknown)]
    for index, one in enumerate(providers):
        known = dict(_PROVIDER)
        if version != VERSIONS[0]:
            del known["tokenAttributes"]
        complaints += _unknown(one, f"providers[{index}]", known)
    if complaints:
        raise _Fault(f"strict decoding error: {', '.join(complaints)}")
    return [dict(one) for one in providers]


def _unknown(value: Any, at: str, known: Mapping[str, str]) -> Iterator[str]:
    """The unknown fields of a map. Raises _Fault for one of another type; values are not shown."""
    if not isinstance(value, dict):
        raise _Fault(f"{at} must be a map")
    for name, one in value.items():
        kind = known.get(name)
        if kind is None:
            yield f'unknown field "{at}.{name}"'
        elif one is None:
            continue
        elif kind == "attributes":
            yield from _unknown(one, f"{at}.{name}", _ATTRIBUTES)
        elif kind == "[]env":
            if not isinstance(one, list):
                raise _Fault(f"{at}.{name} must be a list")
            for index, item in enumerate(one):
                yield from _unknown(item, f"{at}.{name}[{index}]", _ENV)
        elif not _is_of(kind, one):
            raise _Fault(f"{at}.{name} must be {_WORDS[kind]}")


_WORDS = {
    _STRING: "a string",
    _STRINGS: "a list of strings",
    "bool": "true or false",
    "duration": "a duration such as 10m",
}


def _is_of(kind: str, value: Any) -> bool:
    if kind == _STRINGS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "duration":
        try:
            return isinstance(value, str) and parse_go_duration(value) is not None
        except ValueError:
            return False
    return isinstance(value, str)


def _complaints(providers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with them: validateCredentialProviderConfig."""
    if not providers:
        yield "providers: Required value: at least 1 item in plugins is required"
    for one in providers:
        yield from _name_complaints(one.get("name") or "")
        version = one.get("apiVersion") or ""
        if not version:
            yield "providers.apiVersion: Required value"
        elif version not in PLUGIN_VERSIONS:
            yield _unsupported("providers.apiVersion", version, PLUGIN_VERSIONS)
        if not one.get("matchImages"):
            yield "providers.matchImages: Required value: at least 1 item in matchImages is required"
        for image in one.get("matchImages") or ():
            why = _match_error(image)
            if why:
                yield _invalid("providers.matchImages", image, f"match image is invalid: {why}")
        duration = one.get("defaultCacheDuration")
        if duration is None:
            yield "providers.defaultCacheDuration: Required value"
        elif parse_go_duration(duration) < 0:
            why = "defaultCacheDuration must be greater than or equal to 0"
            yield _invalid("providers.defaultCacheDuration", duration, why)
        if one.get("tokenAttributes") is not None:
            yield from _attribute_complaints(one["tokenAttributes"], version)


def _name_complaints(name: str) -> Iterator[str]:
    at = "providers.name"
    if "/" in name:
        yield _invalid(at, name, "provider name cannot contain '/'")
    if " " in name:
        yield _invalid(at, name, "provider name cannot contain spaces")
    if name in (".", ".."):
        yield _invalid(at, name, f"provider name cannot be '{name}'")


def _attribute_complaints(told: Mapping[str, Any], version: str) -> Iterator[str]:
    at = "providers.tokenAttributes"
    requires = told.get("requireServiceAccount")
    required, optional = (
        told.get(f"{kind}ServiceAccountAnnotationKeys") or () for kind in ("required", "optional")
    )
    if not told.get("serviceAccountTokenAudience"):
        yield f"{at}.serviceAccountTokenAudience: Required value"
    if requires is None:
        yield f"{at}.requireServiceAccount: Required value"
    if version != PLUGIN_V1:
        yield f"{at}: Forbidden: tokenAttributes is only supported for {PLUGIN_V1} API version"
    if requires is False and required:
        why = "requireServiceAccount cannot be false when requiredServiceAccountAnnotationKeys is set"
        yield f"{at}.requiredServiceAccountAnnotationKeys: Forbidden: {why}"
    for kind, keys in (("required", required), ("optional", optional)):
        where = f"{at}.{kind}ServiceAccountAnnotationKeys"
        for index, key in enumerate(keys):
            for why in qualified_name_errors(key.lower()):
                yield _invalid(where, key, why)
            if key in keys[:index]:
                yield f"{where}: Duplicate value: {json.dumps(key)}"
    both = sorted(set(required) & set(optional))
    if both:
        yield f"{at}: Invalid value: {json.dumps(both)}: annotation keys cannot be both required and optional"
    kind = told.get("cacheType") or ""
    if not kind:
        why = "cacheType is required to be set when tokenAttributes is specified. Supported values are: "
        yield f"{at}.cacheType: Required value: {why}{', '.join(CACHE_TYPES)}"
    elif kind not in CACHE_TYPES:
        yield _unsupported(f"{at}.cacheType", kind, CACHE_TYPES)


def _match_error(image: str) -> str:
    """Why a name of images is none (ParseSchemelessURL), "" if it is one."""
    try:
        parts = urlsplit(f"https://{image}")
        if parts.port is not None and parts.port > 65535:
            return "invalid port"
    except ValueError as error:
        return str(error)
    if any(ord(one) < 0x21 or one == "\x7f" for one in image):
        return f'parse "https://{image.strip()}": invalid character in host name'
    return ""


def _invalid(at: str, value: str, why: str) -> str:
    return f"{at}: Invalid value: {json.dumps(value)}: {why}"


def _unsupported(at: str, value: str, known: Sequence[str]) -> str:
    shown = ", ".join(f'"{one}"' for one in known)
    return f'{at}: Unsupported value: "{value}": supported values: {shown}'


def _provider(told: Mapping[str, Any], folder: Path) -> CredentialProvider:
    """A provider that was checked. Raises ProvidersError when its program cannot be run."""
    path = folder / told["name"]
    if not told["name"] or not path.exists():
        raise ProvidersError(f"plugin binary executable {path} did not exist")
    if path.is_dir() or not os.access(path, os.X_OK):
        why = "is a directory" if path.is_dir() else "permission denied"
        raise ProvidersError(
            f'error inspecting binary executable {path}: exec: "{path}": {why}; make it executable'
        )
    attributes = told.get("tokenAttributes")
    return CredentialProvider(
        name=told["name"],
        path=path,
        api_version=told["apiVersion"],
        match_images=tuple(told["matchImages"]),
        cache_s=parse_go_duration(told["defaultCacheDuration"]) / 1e9,
        args=tuple(told.get("args") or ()),
        env=tuple((one.get("name") or "", one.get("value") or "") for one in told.get("env") or ()),
        token=None
        if attributes is None
        else TokenAttributes(
            audience=attributes["serviceAccountTokenAudience"],
            requires_account=attributes["requireServiceAccount"],
            required=tuple(attributes.get("requiredServiceAccountAnnotationKeys") or ()),
            optional=tuple(attributes.get("optionalServiceAccountAnnotationKeys") or ()),
            is_cached_by_token=attributes["cacheType"] == "Token",
        ),
    )
