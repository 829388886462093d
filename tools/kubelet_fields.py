"""Writes what becomes of a KubeletConfiguration into docs/kubelet.md: `python -m tools.kubelet_fields`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tools.places import filled
from wherry.cluster.alone.kubelet import FLAG_OF
from wherry.cluster.kubelet_files import OURS
from wherry.kubelet.configuration.fields import FIELDS, Field, Lot

PAGE = Path(__file__).parents[1] / "docs" / "kubelet.md"
BEGIN, END = "<!-- configuration: written by tools/kubelet_fields.py -->", "<!-- end of configuration -->"


def with_table(page: str) -> str:
    """The page with its table as it should be. Raises ValueError for one without a place."""
    return filled(page, BEGIN, END, _table())


def _table() -> Iterator[str]:
    yield "| field | flag | what becomes of it |"
    yield "| --- | --- | --- |"
    for field in FIELDS:
        flag = f"`--{FLAG_OF[field.path]}`" if field.path in FLAG_OF else ""
        yield f"| `{field.path}` | {flag} | {_lot(field)} |"


def _lot(field: Field) -> str:
    if field.lot is Lot.HONOURED:
        whose = "; with `wherry up` the cluster says it" if field.path in OURS else ""
        return f"honoured{whose}"
    if field.lot is Lot.ONLY:
        shown = {True: "true", False: "false", "": "nothing"}.get(_hashable(field.only), field.only)
        shown = ", ".join(shown) if isinstance(shown, list) else shown
        return f"refused, but for {shown}: {field.why}"
    return f"{field.lot.value}: {field.why}"


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value if isinstance(value, bool | str) else str(value)


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(with_table(PAGE.read_text()))


if __name__ == "__main__":
    main()
