"""A cluster's parts are put together in one place: by the assembly, which every process and every test uses.

Elsewhere a part is made only where it is all there is: by the program that runs it alone, in its own tests.
"""

from __future__ import annotations

import ast
from pathlib import Path

import wherry

ROOT = Path(wherry.__file__).parent.parent
CONTROL_PLANE, NODE = "wherry/cluster/assembly.py", "wherry/cluster/node_assembly.py"
ALONE = "wherry/cluster/alone/"
MAY_MAKE = {
    "ApiServer": (CONTROL_PLANE,),
    "Controllers": (CONTROL_PLANE, ALONE),
    "Scheduler": (CONTROL_PLANE, ALONE, "tests/scheduler/"),
    "Kubelet": (NODE, ALONE),
    "KubeletServer": (NODE, ALONE, "tests/kubelet/server/"),
    "Proxy": (NODE, ALONE, "tests/proxy/"),
}


def makers() -> dict[str, set[str]]:
    """Which files call each of the parts' classes."""
    found: dict[str, set[str]] = {part: set() for part in MAY_MAKE}
    for directory in ("wherry", "tests", "bench", "tools"):
        for path in (ROOT / directory).rglob("*.py"):
            text = path.read_text()
            if not any(f"{part}(" in text for part in MAY_MAKE):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                    if name in found:
                        found[name].add(path.relative_to(ROOT).as_posix())
    return found


def test_nothing_else_makes_a_part() -> None:
    made = makers()
    assert all(made.values()), "every part is looked for under the name it has"
    assert not [
        f"{file} makes its own {part}"
        for part, files in made.items()
        for file in files
        if not file.startswith(MAY_MAKE[part])
    ]
