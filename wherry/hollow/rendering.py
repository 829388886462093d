"""What a Stage's template is rendered to: patches and objects.

KWOK's functions for templates (pkg/utils/gotpl/funcs.go, and pod_controller.go, node_controller.go): Quote,
Now, StartTime, YAML, Version, NodeConditions, NodeName, NodePort, NodeIP, NodeIPWith, NodeIPsWith, PodIP,
PodIPWith and PodIPsWith. They are there for every kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import yaml

import wherry
from wherry.hollow.conditions import NODE_CONDITIONS
from wherry.hollow.documents import Fields
from wherry.hollow.stages import StageFailed, Surroundings
from wherry.kit.yaml_reader import YamlError, read
from wherry.objects.gotemplate import TemplateError, compile_template
from wherry.objects.gotemplate.printing import quoted
from wherry.objects.meta import Object, format_micro_time, name_of, uid_of

NAMES = (
    "NodeConditions",
    "NodeIP",
    "NodeIPWith",
    "NodeIPsWith",
    "NodeName",
    "NodePort",
    "Now",
    "PodIP",
    "PodIPWith",
    "PodIPsWith",
    "Quote",
    "StartTime",
    "Version",
    "YAML",
)


class Rendered:
    """Makes a patch or an object of a template; `root` is the field all of it belongs under."""

    def __init__(
        self, stage: str, fields: Fields, name: str, *, root: str, is_json_patch: bool = False
    ) -> None:
        self._stage = stage
        self._root = root
        self._is_json_patch = is_json_patch
        try:
            self._template = compile_template(stage, fields.text(name, required=True).strip(), NAMES)
        except TemplateError as error:
            raise fields.error(name, str(error)) from error

    def __call__(self, obj: Object, around: Surroundings) -> Any:
        """The patch for `obj`. Raises StageFailed."""
        try:
            value = read(self._template.render(obj, functions(obj, around))).value
        except TemplateError as error:
            raise StageFailed(str(error)) from error
        except YamlError as error:
            raise StageFailed(f"stage {self._stage}: the template gives no YAML document: {error}") from error
        if self._is_json_patch:
            return self._below_root(value)
        if not isinstance(value, dict | None):
            raise StageFailed(
                f"stage {self._stage}: the template must give a map, not {type(value).__name__}"
            )
        return {self._root: value or {}} if self._root else value or {}

    def _below_root(self, operations: Any) -> list[Object]:
        if not isinstance(operations, list) or not all(isinstance(item, dict) for item in operations):
            raise StageFailed(f"stage {self._stage}: the template must give a list of JSON patch operations")
        prefix = f"/{self._root}" if self._root else ""
        return [{**item, "path": f"{prefix}{item.get('path', '')}"} for item in operations]


_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def applied_kind(template: str) -> tuple[str, str]:
    """apiVersion and kind of what a template is rendered to; "" where they depend on the object."""
    lines = _ACTION.sub("", template).splitlines()
    full = [line for line in lines if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in full), default=0)
    text = "\n".join(line[margin:] for line in full)
    found = re.match(r"\{.*", text, re.DOTALL)
    begins = r"(?:^|[{,])\s*" if found else r"^"

    def field(name: str) -> str:
        told = re.search(rf"""{begins}["']?{name}["']?:[ \t]+["']?([\w./-]+)""", text, re.MULTILINE)
        return told[1] if told else ""

    return field("apiVersion"), field("kind")


def functions(obj: Object, around: Surroundings) -> dict[str, Callable[..., Any]]:
    """KWOK's functions, for a template that is rendered for `obj`."""
    node_name = (obj.get("spec") or {}).get("nodeName") or name_of(obj)

    def pod_ips(node: str, host_network: Any = False, uid: str = "", *_names: str) -> list[str]:
        return around.pod_ips(node, uid, host_network=bool(host_network))

    return {
        "NodeConditions": lambda: [dict(condition) for condition in NODE_CONDITIONS],
        "NodeIP": lambda: _first(around.node_ips(node_name)),
        "NodeIPWith": lambda node: _first(around.node_ips(node)),
        "NodeIPsWith": around.node_ips,
        "NodeName": lambda: node_name,
        "NodePort": around.node_port,
        "Now": lambda: wire(around.now()),
        "PodIP": lambda: _first(pod_ips(node_name, False, uid_of(obj))),
        "PodIPWith": lambda *arguments: _first(pod_ips(*arguments)),
        "PodIPsWith": pod_ips,
        "Quote": _quoted,
        "StartTime": lambda: wire(around.started()),
        "Version": lambda: wherry.__version__,
        "YAML": to_yaml,
    }


def _quoted(value: Any) -> str:
    """A text in quotes; anything else as JSON in quotes."""
    return quoted(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")))


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def wire(moment: datetime) -> str:
    """A moment as Go's RFC3339Nano, but for zeros at the end."""
    return format_micro_time(moment)


def to_yaml(value: Any, indent: int = 0) -> str:
    """A value as YAML; `indent` levels of two spaces begin each line."""
    text = yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), default_flow_style=False)
    if indent <= 0:
        return text
    return ("\n" + text).replace("\n", "\n" + " " * (2 * indent))
