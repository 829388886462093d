"""Our own OpenAPI documents turned against the server: schemathesis makes requests they allow, and some not.

What is declared must be what happens: no answer may be a server error, every success has a declared code
and content type, and every refusal is a metav1.Status. In the suite it is brief; to let it run longer:

    python -m tests.apiserver.hostile.fuzzing --examples 200 --seed 5 apps/v1 v1
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

TIMEOUT_S = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STREAMING = frozenset({"watch", "allowWatchBookmarks", "sendInitialEvents", "resourceVersionMatch"})
"""Parameters that would make an answer without end, and those that only belong to it."""

UPSTREAM_500 = (
    "resourceVersion should not be set on objects to be created",
    "failed to create typed patch object",
)
"""What upstream answers with 500 itself, though the client is to blame."""

STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
KINDS_OF_ANSWER = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


@dataclass
class Server:
    """A server in a process of its own."""

    url: str
    authority: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False  # no proxy or authority of the machine's
        self.session.verify = self.authority
        self.session.headers["Authorization"] = "Bearer admin-token"

    def document(self, place: str) -> dict[str, Any]:
        """The OpenAPI v3 document of `v1` or `apps/v1`, made fit for fuzzing."""
        path = f"apis/{place}" if "/" in place else f"api/{place}"
        answer = self.session.get(f"{self.url}/openapi/v3/{path}", timeout=TIMEOUT_S)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        prepare(document)
        return document


@contextmanager
def server() -> Iterator[Server]:
    """The server, while the block runs. Raises AssertionError if it did not survive."""
    http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]  # many warnings are many headers
    command = [sys.executable, "-m", "tests.apiserver.hostile.served"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        made = Server(f"https://127.0.0.1:{said['port']}", said["authority"])
        try:
            yield made
            assert process.poll() is None, "the server survived"
        finally:
            made.session.close()
            assert process.stdin is not None
            process.stdin.close()


def prepare(document: dict[str, Any]) -> None:
    """Leave out what streams or needs a kubelet, and declare, in place, that all refusals are a Status.

    Upstream's documents, and so ours, only declare successes.
    """
    refusal = {
        "description": "refused",
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{STATUS}"}} for kind in KINDS_OF_ANSWER},
    }
    for path, item in list(document["paths"].items()):
        for method, operation in list(item.items()):
            if method == "parameters":
                continue
            if operation.get("x-kubernetes-action") == "connect" or path.endswith("/log"):
                del item[method]
                continue
            given = operation.get("parameters", [])
            operation["parameters"] = [one for one in given if one["name"] not in STREAMING]
            operation["responses"]["default"] = refusal
        if set(item) <= {"parameters"}:
            del document["paths"][path]
    meta = document["components"]["schemas"]
    meta.setdefault(
        STATUS, {"type": "object", "required": ["kind"], "properties": {"code": {"type": "integer"}}}
    )


def fuzz(
    server: Server, document: dict[str, Any], *, examples: int, seed_: int, sample: int = 0
) -> Iterator[tuple[str, list[str]]]:
    """Send `examples` requests for each operation of a document (only `sample` operations, if given).

    As many again are sent that the document does not allow. Yields each operation's name with what was
    found wrong.
    """
    schema = schemathesis.openapi.from_dict(document)
    operations: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    if sample:
        operations = random.Random(seed_).sample(operations, min(sample, len(operations)))
    for operation in operations:
        wrong: list[str] = []
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            wrong += _fuzz_operation(server, operation, mode, examples, seed_)
        yield f"{operation.method.upper()} {operation.path}", wrong


def _fuzz_operation(
    server: Server, operation: Any, mode: GenerationMode, examples: int, seed_: int
) -> list[str]:
    wrong: list[str] = []

    @seed(seed_)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        answer = case.call(
            base_url=server.url, session=server.session, timeout=TIMEOUT_S, verify=server.authority
        )
        if answer.status_code == 500 and any(text in answer.text for text in UPSTREAM_500):
            return
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            wrong.append(f"{failure}\n{case.as_curl_command()[:2000]}")

    try:
        attempt()
    except Unsatisfiable:
        return []  # nothing to negate: the operation has neither parameters nor a body
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Fuzz some documents; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description="Fuzz the API server by its own OpenAPI documents.")
    parser.add_argument("places", nargs="+", help="documents such as v1 or apps/v1")
    parser.add_argument("--examples", type=int, default=50, help="requests for each operation")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = 0
    with server() as served:
        for document in map(served.document, options.places):
            for name, wrong in fuzz(served, document, examples=options.examples, seed_=options.seed):
                print(f"{name}: {len(wrong)} wrong" if wrong else f"{name}: ok", flush=True)
                for text in wrong[:3]:
                    print(text, flush=True)
                found += len(wrong)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
