"""A cluster's parts are put together in one place: by the assembly, which every process and every test uses.

Elsewhere a part is made only where it is all there is: by the program that runs it alone, in its own tests.
"""

from __future__ import annotations

import ast
import re
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


def makers_of(*parts: str) -> dict[str, set[str]]:
    """Which files call each of the parts' classes."""
    found: dict[str, set[str]] = {part: set() for part in parts}
    for directory in ("wherry", "tests", "bench", "tools"):
        for path in (ROOT / directory).rglob("*.py"):
            text = path.read_text()
            if not any(f"{part}(" in text for part in parts):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                    if name in found:
                        found[name].add(path.relative_to(ROOT).as_posix())
    return found


def test_only_the_clients_tests_play_the_server_themselves() -> None:
    """Whatever else is tested runs beside a real one, which checks, defaults and refuses as it will later."""
    pretending = re.compile(r"fake_transport|class \w+\((?:\w+, )*FakeTransport")
    users = {
        path.relative_to(ROOT).as_posix()
        for directory in ("tests", "bench", "tools")
        for path in (ROOT / directory).rglob("*.py")
        if path != Path(__file__) and pretending.search(path.read_text())
    }
    assert users, "it is looked for under the name it has"
    assert not [f"{user} has a server of its own" for user in users if not user.startswith("tests/client/")]


def test_controllers_are_tested_beside_a_real_server() -> None:
    """What makes controllers for a test is `rig`, and by it the bench: nobody else puts some together."""
    found = makers_of("make_controllers", "ControlPlane")
    assert found["ControlPlane"] >= {"tests/apiserver/rig.py"}
    assert not [
        f"{file} puts controllers together itself"
        for files in found.values()
        for file in files
        if file.startswith("tests/controllers/")
    ]


def test_nothing_else_makes_a_part() -> None:
    made = makers_of(*MAY_MAKE)
    assert all(made.values()), "every part is looked for under the name it has"
    assert not [
        f"{file} makes its own {part}"
        for part, files in made.items()
        for file in files
        if not file.startswith(MAY_MAKE[part])
    ]
