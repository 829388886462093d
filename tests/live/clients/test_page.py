"""The tables of docs/compatibility.md list what is tried, no more and no less."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.live.clients.page import Page
from tests.live.clients.trials import TRIALS

CLIENTS = {
    "test_client_go.py": "client-go 0.37.2",
    "test_helm.py": "Helm 4",
    "test_kopf.py": "kopf",
    "test_kopf_admission.py": "kopf",
    "test_kr8s.py": "kr8s",
    "test_kubernetes.py": "kubernetes (official Python client)",
    "test_kubernetes_asyncio.py": "kubernetes_asyncio",
    "test_lightkube.py": "lightkube",
}


def test_kubectl_rows_are_the_trials(page: Page) -> None:
    tried = {(trial.command, trial.tried) for trial in TRIALS}
    if page.update:
        page.write("kubectl", [row for row in page.rows("kubectl") if row[:2] in tried])
    assert {row[:2] for row in page.rows("kubectl")} == tried


def test_client_rows_are_the_tests(page: Page) -> None:
    """A test of a client passes or the run fails, so every row says yes."""
    here = Path(__file__).parent
    found = sorted((CLIENTS[name], tried, "yes") for name in CLIENTS for tried in sentences(here / name))
    if page.update:
        page.write("clients", found)
    assert page.rows("clients") == found


def sentences(path: Path) -> list[str]:
    """The first lines of the docstrings of the tests in a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tests = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, functions) and node.name.startswith("test_")
    ]
    documented = [ast.get_docstring(test) for test in tests]
    assert all(documented), f"{path.name}: a test without a docstring has no row"
    return [text.splitlines()[0].rstrip(".") for text in documented if text]
