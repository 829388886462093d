"""What people really deploy: every document of `tests/data/realworld` is taken, kept and served.

The documents are made up after the operators, controllers and workloads most clusters run: they use
the fields, extensions and rules those use. A file is one cluster; its documents are brought in in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.apiserver.customresources.established import condition, until
from tests.apiserver.realworld.deployment import OBSERVED, Deployment
from tests.apiserver.rig import Rig, account
from tests.timing import PATIENCE_S
from tests.yaml_files import read_documents
from wherry.api.resource import Resource
from wherry.objects.meta import Object

CORPUS = Path(__file__).parents[2] / "data" / "realworld"
FILES = sorted(CORPUS.glob("*.yaml"))


async def make_room(rig: Rig, found: list[Object]) -> None:
    """The namespaces of the documents, each with its default account."""
    namespaces = {document["metadata"].get("namespace", "") for document in found} - {""}
    for namespace in sorted(namespaces):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        status, answer, _ = await rig.http("POST", "/api/v1/namespaces", made)
        assert status in {201, 409}, answer
        status, answer, _ = await rig.http(
            "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account(namespace)
        )
        assert status == 201, answer


async def served(rig: Rig, document: Object) -> tuple[Resource, tuple[Resource, ...]]:
    """The resource of the document and all versions of its kind, once they are served."""
    registry = rig.server.core.registry
    async with asyncio.timeout(PATIENCE_S):
        while True:
            all_served = list(registry.resources())
            for resource in all_served:
                if (resource.api_version, resource.kind) == (document["apiVersion"], document["kind"]):
                    return resource, tuple(r for r in all_served if r.is_version_of(resource))
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_is_taken_kept_and_served(rig: Rig, path: Path) -> None:
    found: list[Object] = read_documents(path)
    await make_room(rig, found)
    problems: list[str] = []
    deployed = []
    for document in found:
        what = f"{document['kind']} {document['metadata']['name']}"
        with noting(problems, what):
            deployment = Deployment(rig, document, *await served(rig, document))
            await deployment.create()
            if looked_at := OBSERVED.get(document["kind"]):
                await until(rig, deployment.path(), lambda obj, kind=looked_at: condition(obj, kind) != "")
            deployed.append(deployment)
            for step in (
                deployment.write_again,
                deployment.apply,
                deployment.write_status,
                deployment.read_everywhere,
            ):
                with noting(problems, f"{what}: {step.__name__}"):
                    await step()
    for deployment in reversed(deployed):
        with noting(problems, f"deletion of {deployment.path()}"):
            await deployment.delete()
    assert not problems, "\n" + "\n".join(problems)


@contextmanager
def noting(problems: list[str], what: str) -> Iterator[None]:
    """Go on after a failed judgement, which is kept: one run tells all that is wrong with a file."""
    try:
        yield
    except (AssertionError, TimeoutError) as failed:
        problems.append(f"{what}: {failed!r}")


def test_there_is_a_corpus() -> None:
    kinds = {
        (document["apiVersion"], document["kind"]) for path in FILES for document in read_documents(path)
    }
    assert len(kinds) > 60
