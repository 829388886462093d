"""Write the table of Kubernetes' protobuf messages.

Two sources, because none tells all. A table of facts (JSON: message, field, `[number, type]`) names the
messages of every group. A kubectl of the API level carries the Go structs, whose tags also say how a
field is called in JSON, whether it is embedded, a pointer, or left out when empty; where both speak of a
field they have to agree. The few packages kubectl does not link are completed by hand below.
Run `python -m tools.generate_protobuf FACTS.json KUBECTL`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.go_structs import GoField, GoProgram

TABLE = Path(__file__).resolve().parent.parent / "wherry" / "api" / "protobuf" / "messages.txt"

Facts = dict[str, dict[str, tuple[int, str]]]
Message = dict[str, tuple[int, str, str]]
"""JSON name: number, type, and letters: p(ointer), o(mitempty), z (omitzero), i(nline)."""

_ROOTS = ("k8s.io/api/", "k8s.io/apimachinery/pkg/", "k8s.io/metrics/pkg/apis/metrics/")
_APIEXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1."
_APIREGISTRATION = "k8s.io.kube_aggregator.pkg.apis.apiregistration.v1."
_SCALARS = frozenset({"string", "bytes", "bool", "int32", "int64", "double"})

# Types whose Go struct is not what travels.
_SPECIAL = frozenset(
    {
        "k8s.io.apimachinery.pkg.api.resource.Quantity",
        "k8s.io.apimachinery.pkg.apis.meta.v1.Duration",
        "k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1",
        "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime",
        "k8s.io.apimachinery.pkg.apis.meta.v1.Time",
        "k8s.io.apimachinery.pkg.runtime.RawExtension",
        "k8s.io.apimachinery.pkg.util.intstr.IntOrString",
    }
)

# For the packages kubectl does not link: scalars that are pointers, and those never left out.
_POINTERS = {
    _APIEXTENSIONS + "CustomResourceDefinitionVersion": "deprecationWarning",
    _APIEXTENSIONS + "CustomResourceSubresourceScale": "labelSelectorPath",
    _APIEXTENSIONS + "JSONSchemaProps": (
        "ref maximum minimum maxLength minLength maxItems minItems multipleOf maxProperties minProperties "
        "xKubernetesPreserveUnknownFields xKubernetesListType xKubernetesMapType"
    ),
    _APIEXTENSIONS + "ServiceReference": "path port",
    _APIEXTENSIONS + "ValidationRule": "reason optionalOldSelf",
    _APIEXTENSIONS + "WebhookClientConfig": "url",
    _APIREGISTRATION + "ServiceReference": "port",
}
_ALWAYS_WRITTEN = {
    _APIEXTENSIONS + "CustomResourceColumnDefinition": "name type jsonPath",
    _APIEXTENSIONS + "CustomResourceConversion": "strategy",
    _APIEXTENSIONS + "CustomResourceDefinitionCondition": "type status",
    _APIEXTENSIONS + "CustomResourceDefinitionNames": "plural kind",
    _APIEXTENSIONS + "CustomResourceDefinitionSpec": "group scope",
    _APIEXTENSIONS + "CustomResourceDefinitionVersion": "name served storage",
    _APIEXTENSIONS + "CustomResourceSubresourceScale": "specReplicasPath statusReplicasPath",
    _APIEXTENSIONS + "SelectableField": "jsonPath",
    _APIEXTENSIONS + "ServiceReference": "namespace name",
    _APIEXTENSIONS + "ValidationRule": "rule",
    _APIREGISTRATION + "APIServiceCondition": "type status",
    _APIREGISTRATION + "APIServiceSpec": "groupPriorityMinimum versionPriority",
}


def message_name(go_name: str) -> str:
    """`k8s.io.api.core.v1.Pod` for Go's `k8s.io/api/core/v1.Pod`."""
    return go_name.replace("/", ".").replace("-", "_")


def read_facts(path: Path) -> Facts:
    """The table of facts, types with their full names."""
    found: Facts = {}
    for name, fields in json.loads(path.read_text(encoding="utf-8")).items():
        package = name.rpartition(".")[0]
        found[name] = {
            field: (number, _with_package(kind, package)) for field, (number, kind) in fields.items()
        }
    return found


def _with_package(kind: str, package: str) -> str:
    head, inner, tail = re.fullmatch(r"(\[\]|map<\w+,)?([\w.]+)(>?)", kind).groups("")  # type: ignore[union-attr]
    if "." not in inner and inner not in _SCALARS:
        inner = f"{package}.{inner}"
    return f"{head}{inner}{tail}"


def merge(program: GoProgram, facts: Facts) -> dict[str, Message]:
    """Every message that can be described, sorted. Raises ValueError where the sources disagree."""
    found: dict[str, Message] = {}
    for go_name, fields in program.structs():
        name = message_name(go_name)
        if go_name.startswith(_ROOTS) and name not in _SPECIAL and any("protobuf" in f.tags for f in fields):
            found[name] = _from_go(name, fields, facts.get(name, {}))
    for name in facts:
        if name.startswith((_APIEXTENSIONS, _APIREGISTRATION)):
            found[name] = _from_facts(name, facts[name])
    waiting = list(found)
    while waiting:
        for name in _mentioned(found[waiting.pop()]):
            if name not in found:  # a struct without fields, a list with a name, a type written by hand
                found[name] = _from_facts(name, facts[name])
                waiting.append(name)
    return dict(sorted(found.items()))


def _from_go(name: str, fields: list[GoField], facts: dict[str, tuple[int, str]]) -> Message:
    by_number = dict(facts.values())
    message: Message = {}
    for field in fields:
        if "protobuf" not in field.tags:
            continue  # apiVersion and kind, which travel outside
        number = int(field.tags["protobuf"].split(",")[1])
        json_name, *options = field.tags.get("json", field.name).split(",")
        flags = "p" if field.type.startswith("*") else ""
        flags += "o" if "omitempty" in options else ""
        flags += "z" if "omitzero" in options else ""
        flags += "" if json_name else "i"
        spelt = message_name(field.type.removeprefix("*"))
        kind = by_number.get(number, spelt)
        if kind != spelt and not _is_named_list(kind, spelt):
            raise ValueError(f"{name}: field {number} is {kind} in the facts, {spelt} in the program")
        message[json_name or field.name] = (number, kind, flags)
    return message


def _is_named_list(kind: str, spelt: str) -> bool:
    """Whether Go's list of texts travels as a message of its own."""
    return spelt in ("[]string", "map<string,[]string>") and "." in kind


def _from_facts(name: str, facts: dict[str, tuple[int, str]]) -> Message:
    pointers, written = _POINTERS.get(name, "").split(), _ALWAYS_WRITTEN.get(name, "").split()
    return {
        _json_name(name, field): (
            number,
            kind,
            ("p" if field in pointers else "") + ("" if field in written else "o"),
        )
        for field, (number, kind) in facts.items()
    }


def _json_name(name: str, field: str) -> str:
    if name == _APIEXTENSIONS + "JSONSchemaProps" and field in ("schema", "ref"):
        return f"${field}"
    if field.startswith("xKubernetes"):
        return re.sub(r"([A-Z])", lambda capital: f"-{capital[1].lower()}", field)
    return field


def _mentioned(message: Message) -> Iterator[str]:
    for _, kind, _ in message.values():
        inner = re.sub(r"\[\]|map<\w+,|>", "", kind)
        if inner not in _SCALARS:
            yield inner


def render(messages: dict[str, Message]) -> str:
    """The table: a line per message, its name and its fields as JSON, types of its package without it."""
    lines = []
    for name, fields in messages.items():
        package = name.rpartition(".")[0] + "."
        short = {
            field: (number, _local(kind, package), flags) for field, (number, kind, flags) in fields.items()
        }
        lines.append(f"{name} {json.dumps(short, separators=(',', ':'))}\n")
    return "".join(lines)


def _local(kind: str, package: str) -> str:
    inner = re.sub(r"\[\]|map<\w+,|>", "", kind)
    return kind.replace(package, "") if inner.rpartition(".")[0] + "." == package else kind


def main(facts: str, kubectl: str) -> None:
    """Write the table."""
    messages = merge(GoProgram(Path(kubectl)), read_facts(Path(facts)))
    TABLE.write_text(render(messages), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
