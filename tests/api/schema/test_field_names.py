"""Every field name read from or written to an object stands in the schema: a misspelt one is found here."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from wherry.api.schema import definition_names, source

WHERRY = Path(__file__).parents[3] / "wherry"
PACKAGES = ("api", "controllers", "scheduler", "kubelet", "proxy")
READERS = ("get", "pop", "setdefault")
KEYS = frozenset(("ca.crt", "cpu", "memory", "ssh-privatekey"))
"""Keys of maps the API itself gives a meaning."""
FORMER = frozenset(("webhookClientConfig",))
"""Fields of versions that are only read from the store any more."""
OTHER_DOCUMENTS = (
    "api/autoscaling/metrics_v1.py",  # metrics in annotations
    "api/certificates/signing.py",  # certificate extensions
    "api/core/pod_spec/images.py",  # parts of an image's name
    "api/schema/definitions.py",  # the schema itself
    "controllers/podautoscaler/answers.py",  # the metrics APIs' answers
    "controllers/podautoscaler/metrics.py",  # the metrics APIs' answers
    "scheduler/arguments.py",  # KubeSchedulerConfiguration
    "scheduler/configuration.py",
    "scheduler/extenders.py",  # what extenders are asked and answer
    "kubelet/allocation/records.py",  # what the kubelet wrote itself
    "kubelet/configuration",  # KubeletConfiguration
    "kubelet/credential_plugins",  # CredentialProviderConfig, what providers answer
    "kubelet/credentials.py",  # docker's config.json
    "kubelet/image_pulls/records.py",  # ImagePullIntent and ImagePulledRecord
    "kubelet/users.py",  # what the kubelet wrote itself
    "kubelet/devices/checkpoint.py",  # what the kubelet wrote itself
    "kubelet/devices/dra/claim_info.py",  # likewise
    "kubelet/machine.py",  # /proc/meminfo
    "kubelet/probes",  # headers, kinds of probes
    "kubelet/registries",  # registries.yaml
    "kubelet/runtimes",  # the runtime's answers
    "kubelet/server",  # requests, summaries
    "kubelet/topology/checkpoints.py",  # likewise
    "kubelet/topology/cpus.py",
    "kubelet/topology/memory.py",
    "kubelet/topology/memory_state.py",
    "kubelet/volumes/records.py",  # what the kubelet wrote itself
    "proxy/backends/nftables.py",  # what nft lists
)
"""Modules that read something else than objects."""


def names_in(node: Any) -> Iterator[str]:
    """The fields a JSON Schema declares, at any depth."""
    if isinstance(node, dict):
        yield from node.get("properties") or ()
        for value in node.values():
            yield from names_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from names_in(value)


@lru_cache(1)
def declared() -> frozenset[str]:
    return frozenset(field for name in definition_names() for field in names_in(source(name)))


def literals(path: Path) -> Iterator[tuple[str, int]]:
    """The texts in `.get("x")`, `.pop("x")`, `.setdefault("x", ...)` and `["x"]`, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            text = node.args[0] if node.func.attr in READERS else None
        elif isinstance(node, ast.Subscript):
            text = node.slice
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text.value, text.lineno


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_declared(package: str) -> None:
    strange = sorted(
        f"{path.relative_to(WHERRY)}:{line}: {name}"
        for path in (WHERRY / package).rglob("*.py")
        if not path.relative_to(WHERRY).as_posix().startswith(OTHER_DOCUMENTS)
        for name, line in literals(path)
        if name not in declared() | KEYS | FORMER
    )
    assert strange == []
