"""Reading Accept headers: which form of an answer the client would like best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wherry.kit.remembered import remembered

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"


class MediaType(NamedTuple):
    """One entry of an Accept header: lower-case `name`, its parameters without the quality."""

    name: str
    parameters: Mapping[str, str]

    def accepts(self, name: str) -> bool:
        """Whether an answer of type `name` satisfies the entry, parameters aside."""
        if self.name in (name, "*/*"):
            return True
        return self.name.endswith("/*") and name.startswith(self.name[:-1])


@remembered(256)
def parse_accept(header: str) -> tuple[MediaType, ...]:
    """The entries the client takes, best first: by quality, then as they stand. "" takes anything."""
    ranked: list[tuple[float, MediaType]] = []
    for part in (header or "*/*").split(","):
        name, *rest = [piece.strip() for piece in part.split(";")]
        if not name:
            continue
        parameters = {}
        quality = 1.0
        for piece in rest:
            key, _, value = piece.partition("=")
            value = value.strip().strip('"')
            if key.strip().lower() == "q":
                quality = _quality(value)
            else:
                parameters[key.strip().lower()] = value
        if quality > 0:
            ranked.append((quality, MediaType(name.lower(), parameters)))
    ranked.sort(key=lambda entry: -entry[0])
    return tuple(media_type for _, media_type in ranked)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
