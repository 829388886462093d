"""A minute of schemathesis over samples of every kind of document; `fuzzing` says how to have more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apiserver.hostile.fuzzing import Server, fuzz, server

pytestmark = pytest.mark.slow

SEED = 37
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with server() as made:
        yield made


@pytest.mark.parametrize(
    ("place", "sample"),
    [
        ("coordination.k8s.io/v1", 0),
        ("authorization.k8s.io/v1", 3),
        ("rbac.authorization.k8s.io/v1", 6),
        ("networking.k8s.io/v1", 4),
        ("policy/v1", 4),
        ("v1", 8),
        ("apps/v1", 3),
        ("x.io/v1", 0),
    ],
)
def test_answers_are_as_declared(served: Server, place: str, sample: int) -> None:
    found = fuzz(served, served.document(place), examples=4, seed_=SEED, sample=sample)
    wrong = {name: texts for name, texts in found if texts}
    assert wrong == {}


def test_what_is_not_as_declared_is_found(served: Server) -> None:
    """The checks bite: a document that says something else is contradicted."""
    document = served.document("coordination.k8s.io/v1")
    document["paths"] = {LEASES: document["paths"][LEASES]}
    for method in ("post", "delete"):
        del document["paths"][LEASES][method]
    schema = {"type": "object", "required": ["leases"]}
    document["paths"][LEASES]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = schema
    ((_, wrong),) = fuzz(served, document, examples=5, seed_=SEED)
    assert any("'leases' is a required property" in text or "leases" in text for text in wrong)
