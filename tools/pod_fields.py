"""Writes the table of docs/kubelet.md, what becomes of each field of a pod: `python -m tools.pod_fields`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tools.places import filled
from wherry.api.schema.definitions import source
from wherry.kubelet.unsupported import ELSEWHERE, REFUSED
from wherry.kubelet.volumes.catalog import PLUGINS

PAGE = Path(__file__).parents[1] / "docs" / "kubelet.md"
BEGIN, END = "<!-- fields: written by tools/pod_fields.py -->", "<!-- end -->"
CORE = "io.k8s.api.core.v1."
OTHERS = {
    *("Affinity", "TopologySpreadConstraint", "PodSchedulingGate", "PodSchedulingGroup", "Toleration"),
    *("WindowsSecurityContextOptions", "ClusterTrustBundleProjection", "PodCertificateProjection"),
}
"""Types whose insides the kubelet does not look into."""
WITHOUT_PLUGIN = {
    field: f"`no volume plugin matched name: {field}`"
    for field in source(f"{CORE}Volume")["properties"]
    if field not in {"name", *(plugin.source for plugin in PLUGINS)}
}
"""Sources of volumes that no plugin of the node makes, with what pods are told."""


def fields_of(start: str) -> Iterator[tuple[str, str]]:
    """(type, field) of everything at and below a type that may come to the kubelet."""
    left, seen = [start], set()
    while left:
        name = left.pop()
        kind = name.removeprefix(CORE)
        if name in seen or kind in OTHERS:
            continue
        seen.add(name)
        for field, body in (source(name).get("properties") or {}).items():
            yield kind, field
            if kind != "Volume" or field not in WITHOUT_PLUGIN:
                left += re.findall(r"'(io\.k8s\.api\.core[^']*)'", repr(body))


def with_table(page: str) -> str:
    """The page with its table as it should be. Raises ValueError for one without a place."""
    return filled(page, BEGIN, END, _table())


def _table() -> Iterator[str]:
    yield "| of | fields | what becomes of them |"
    yield "| --- | --- | --- |"
    found: dict[str, list[str]] = {}
    for kind, field in fields_of(f"{CORE}PodSpec"):
        found.setdefault(kind, []).append(field)
    for kind in sorted(found, key=lambda name: (name != "PodSpec", name)):
        rows: dict[str, list[str]] = {}
        for field in sorted(found[kind]):
            rows.setdefault(_fate(kind, field), []).append(f"`{field}`")
        for fate, fields in sorted(rows.items(), key=lambda row: row[0] != "honoured"):
            yield f"| {kind} | {', '.join(fields)} | {fate} |"


def _fate(kind: str, field: str) -> str:
    name = f"{kind}.{field}"
    if kind == "Volume" and field in WITHOUT_PLUGIN:
        return f"refused: {WITHOUT_PLUGIN[field]}"
    if name in REFUSED:
        return f"refused: {REFUSED[name]}"
    if name in ELSEWHERE:
        return f"no effect here: {ELSEWHERE[name]}"
    return "honoured"


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_table(PAGE.read_text()))


if __name__ == "__main__":
    main()
