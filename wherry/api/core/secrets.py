"""Secret: values that are not for everyone, base64 by key.

`stringData` is for writing only and is folded into `data`. Some types promise certain keys. The type
never changes; once `immutable`, nothing does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.core.key_values import SIZE_LIMIT_B, key_errors, locked_errors
from wherry.api.resource import Column, Resource, Strategy
from wherry.api.validation import validate_immutable, validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, invalid_value, required, too_long
from wherry.objects.meta import Object, annotations_of, name_of

OPAQUE = "Opaque"
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type's name
DOCKERCFG = "kubernetes.io/dockercfg"
DOCKER_CONFIG_JSON = "kubernetes.io/dockerconfigjson"
BASIC_AUTH = "kubernetes.io/basic-auth"
SSH_AUTH = "kubernetes.io/ssh-auth"
TLS = "kubernetes.io/tls"
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"

Data = Mapping[str, str]


class SecretStrategy(Strategy):
    """Rules of secrets."""

    def default(self, obj: Object) -> None:
        """`stringData` goes into `data`; the type is Opaque unless said otherwise."""
        texts = obj.pop("stringData", None)
        if texts:
            data = dict(obj.get("data") or {})
            data.update({key: base64.b64encode(text.encode()).decode() for key, text in texts.items()})
            obj["data"] = data
        if not obj.get("type"):
            obj["type"] = OPAQUE

    def prepare(self, new: Object, old: Object | None) -> None:
        """A type left out on update stays what it was."""
        if old is not None and not new.get("type"):
            new["type"] = old.get("type")

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, immutability, keys, size, and what the type promises."""
        if old is None:
            errors = validate_object_meta(new, namespaced=True)
        else:
            errors = validate_object_meta_update(new, old)
            errors += validate_immutable("type", new.get("type"), old.get("type"))
            errors += locked_errors(new, old, ("data",))
        data: Data = new.get("data") or {}
        for key in data:
            errors += key_errors(f"data[{key}]", key)
        if sum(len(value) * 3 // 4 for value in data.values()) > SIZE_LIMIT_B:
            errors.append(too_long("data", SIZE_LIMIT_B))
        check = _TYPES.get(new.get("type") or "")
        return errors + check(new, data) if check is not None else errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Name, Type, Data, Age."""
        return [name_of(obj), obj.get("type") or "", len(obj.get("data") or ()), age_of(obj, now)]


def _service_account_errors(obj: Object, _data: Data) -> list[FieldError]:
    if annotations_of(obj).get(SERVICE_ACCOUNT_NAME):
        return []
    return [required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]")]


def _docker_errors(key: str) -> Callable[[Object, Data], list[FieldError]]:
    def check(_obj: Object, data: Data) -> list[FieldError]:
        if key not in data:
            return [required(f"data[{key}]")]
        try:
            json.loads(base64.b64decode(data[key]))
        except (ValueError, binascii.Error) as error:
            return [invalid_value(f"data[{key}]", "<secret contents redacted>", str(error))]
        return []

    return check


def _basic_auth_errors(_obj: Object, data: Data) -> list[FieldError]:
    if "username" in data or "password" in data:
        return []
    return [required("data[username]"), required("data[password]")]


def _ssh_errors(_obj: Object, data: Data) -> list[FieldError]:
    return [] if data.get("ssh-privatekey") else [required("data[ssh-privatekey]")]


def _tls_errors(_obj: Object, data: Data) -> list[FieldError]:
    return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]


_TYPES: dict[str, Callable[[Object, Data], list[FieldError]]] = {
    SERVICE_ACCOUNT_TOKEN: _service_account_errors,
    DOCKERCFG: _docker_errors(".dockercfg"),
    DOCKER_CONFIG_JSON: _docker_errors(".dockerconfigjson"),
    BASIC_AUTH: _basic_auth_errors,
    SSH_AUTH: _ssh_errors,
    TLS: _tls_errors,
}


def _type(obj: Object) -> str:
    found: str = obj.get("type") or ""
    return found


SECRETS = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    namespaced=True,
    strategy=SecretStrategy(),
    columns=(
        NAME,
        Column("Type", description="Used to facilitate programmatic handling of secret data."),
        Column("Data", description="Number of values in the secret."),
        AGE,
    ),
    selectable={"type": _type},
    schema="io.k8s.api.core.v1.Secret",
)
