"""While somebody's heavy request is worked on, others are answered: no request holds the loop.

A ticker wants one object a thousand times a second; how long it waits at most for one, counted from when it
would have asked, is what a heavy request does to others. What counts is the processor time of this process,
as on the machine the limit was chosen on (`tests.timing`), and the least of three tries.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import pytest

from tests.apiserver.admission.webhooks.hooks import hooks, patched
from tests.apiserver.hostile.wire import connected, request
from tests.apiserver.rig import Rig, config_map, running
from tests.conftest import eventually
from tests.timing import LongestTurn, least_awaited, spent
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.verbs.list import encode_token
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

pytestmark = pytest.mark.slow

LONGEST_WAIT_S = 0.1
PODS_STORED = 2000
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
BARE = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
BARE_PROTOBUF = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML = "application/yaml"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DEFAULT = "/api/v1/namespaces/default"


class Heavy(NamedTuple):
    """A request that takes long, whatever comes of it."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    accept: str = "*/*"


def pod(name: str, **spec: Any) -> Object:
    env = [{"name": f"VARIABLE_{number}", "value": "x" * 100} for number in range(24)]
    container = {"name": "c", "image": "i", "env": env}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


def owners(count: int) -> list[Object]:
    return [{"apiVersion": "v1", "kind": "X", "name": f"n{i}", "uid": f"u{i}"} for i in range(count)]


def role(count: int) -> Object:
    words = [f"w{number}" for number in range(count)]
    rule = {"apiGroups": words, "resources": words, "verbs": words}
    return {"metadata": {"name": "r", "namespace": "default"}, "rules": [rule]}


def spread(count: int) -> Object:
    constraint = {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    return pod("s", topologySpreadConstraints=[{**constraint, "topologyKey": f"k{i}"} for i in range(count)])


def heavy() -> dict[str, Heavy]:
    made: dict[str, Heavy] = {}
    for name, accept in (
        ("table", TABLE),
        ("yaml", YAML),
        ("bare", BARE),
        ("bare protobuf", BARE_PROTOBUF),
        ("protobuf", PROTOBUF),
        ("json", "application/json"),
    ):
        made[f"list as {name}"] = Heavy("GET", f"{DEFAULT}/pods", accept=accept)
    made["list for people"] = Heavy("GET", f"{DEFAULT}/pods?pretty=true")
    made["list by labels"] = Heavy("GET", f"{DEFAULT}/pods?labelSelector=a%3Db")
    junk = b"{a: b}," * 400_000
    made["review in yaml"] = Heavy("POST", REVIEW, b"a: [" + junk + b"]", YAML)
    made["access review in yaml"] = Heavy("POST", ACCESS, b"junk: [" + b"1," * 300_000 + b"]", YAML)
    made["review in json"] = Heavy("POST", REVIEW, b'{"a":[' + b'{"a":"b"},' * 300_000 + b"1]}")
    made["text in yaml"] = Heavy("POST", f"{DEFAULT}/configmaps", b"data:\n  a: " + b"x" * 2_000_000, YAML)
    many = json.dumps({**config_map("m"), "data": {f"k{i}": "v" for i in range(60_000)}}).encode()
    made["many keys"] = Heavy("POST", f"{DEFAULT}/configmaps", many)
    owned = {**config_map("o"), "metadata": {"name": "o", "ownerReferences": owners(15_000)}}
    made["owners"] = Heavy("POST", f"{DEFAULT}/configmaps", json.dumps(owned).encode())
    made["spread"] = Heavy("POST", f"{DEFAULT}/pods?dryRun=All", json.dumps(spread(4000)).encode())
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles?dryRun=All"
    made["role"] = Heavy("POST", path, json.dumps(role(600)).encode())
    quantity = pod("q")
    quantity["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1" * 500_000 + "x"}}
    made["quantity"] = Heavy("POST", f"{DEFAULT}/pods?dryRun=All", json.dumps(quantity).encode())
    return made


def large_object() -> Object:
    return {**config_map("large"), "data": {f"k{number}": "v" for number in range(60_000)}}


def one_large_object() -> dict[str, Heavy]:
    """One object of 60,000 keys in every form, read and written in every way."""
    path = f"{DEFAULT}/configmaps/large"
    body = json.dumps(large_object()).encode()
    patch = json.dumps({"data": {f"k{number}": "w" for number in range(0, 60_000, 7)}}).encode()
    made = {}
    for name, accept in (
        ("json", "application/json"),
        ("yaml", YAML),
        ("protobuf", PROTOBUF),
        ("table", TABLE),
        ("bare", BARE.replace("List", "")),
    ):
        made[f"one as {name}"] = Heavy("GET", path, accept=accept)
        made[f"put as {name}"] = Heavy("PUT", f"{path}?dryRun=All", body, accept=accept)
        for kind in ("merge-patch+json", "strategic-merge-patch+json"):
            made[f"{kind} as {name}"] = Heavy(
                "PATCH", f"{path}?dryRun=All", patch, f"application/{kind}", accept
            )
        applied = Heavy(
            "PATCH", f"{path}?dryRun=All&fieldManager=m", patch, "application/apply-patch+yaml", accept
        )
        made[f"apply as {name}"] = applied
        made[f"delete as {name}"] = Heavy("DELETE", f"{path}?dryRun=All", accept=accept)
        made[f"among others as {name}"] = Heavy("GET", f"{DEFAULT}/configmaps", accept=accept)
    made["one for people"] = Heavy("GET", f"{path}?pretty=true")
    made["among others for people"] = Heavy("GET", f"{DEFAULT}/configmaps?pretty=true")
    made["among others as bare"] = Heavy("GET", f"{DEFAULT}/configmaps", accept=BARE)
    made["among others as bare protobuf"] = Heavy("GET", f"{DEFAULT}/configmaps", accept=BARE_PROTOBUF)
    return made


def much_to_judge() -> dict[str, Heavy]:
    """What is small, or soon read, and takes long to answer."""
    extra = {f"example.com/k{number}": ["v"] for number in range(50_000)}
    path = "/apis/authorization.k8s.io/v1"
    asked = {"user": "u", "extra": extra, "resourceAttributes": {"verb": "get", "resource": "pods"}}
    return {
        "access review with extras": post(f"{path}/subjectaccessreviews", {"spec": asked}),
        "long expression in a definition": post(f"{DEFINITIONS}?dryRun=All", definition("longs", LONG_RULE)),
        "long expression in a policy": post(f"{POLICIES}?dryRun=All", policy("long", LONG_RULE)),
        "rule with loops in loops": post(f"{LOOPS}?dryRun=All", custom("a")),
        "policy with loops in loops": post(f"{DEFAULT}/configmaps?dryRun=All", config_map("looped")),
        "documents of everything": Heavy("GET", "/openapi/v2"),
        "documents of everything in protobuf": Heavy("GET", "/openapi/v2", accept=OPENAPI_PROTOBUF),
        "documents": Heavy("GET", "/openapi/v3"),
        "a collection with a large object": Heavy(
            "DELETE", f"{DEFAULT}/configmaps?dryRun=All&fieldSelector=metadata.name%3Dlarge"
        ),
    }


def post(path: str, body: Object) -> Heavy:
    return Heavy("POST", path, json.dumps(body).encode())


OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = f"{POLICIES.removesuffix('policies')}policybindings"
LOOPS = "/apis/ticker.example.com/v1/namespaces/default/loops"
LONG_RULE = f"[{', '.join(['1'] * 2500)}].all(x, x > 0)"
_NUMBERS = f"[{', '.join(map(str, range(100)))}]"
LOOPING_RULE = f"{_NUMBERS}.all(x, {_NUMBERS}.all(y, {_NUMBERS}.all(z, x + y + z >= 0)))"


def definition(plural: str, rule: str, width: int = 0) -> Object:
    """The definition of a kind with a rule and so many more fields."""
    fields = {f"f{number}": {"type": "string", "description": "a field"} for number in range(width)}
    judged = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-validations": [{"rule": rule}],
    }
    schema = {"type": "object", "properties": {**fields, "spec": judged}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": plural[:-1], "kind": plural.capitalize()}
    spec = {"group": "ticker.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"{plural}.ticker.example.com"}, "spec": spec}


def custom(name: str) -> Object:
    api_version = "ticker.example.com/v1"
    return {"apiVersion": api_version, "kind": "Loops", "metadata": {"name": name}, "spec": {"a": 1}}


def policy(name: str, rule: str) -> Object:
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
    ]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": rule}]}
    return {"metadata": {"name": name}, "spec": spec}


def binding(name: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}


HEAVY = heavy() | one_large_object() | much_to_judge()


@asynccontextmanager
async def filled() -> AsyncIterator[Rig]:
    async with running() as rig:
        account = {"metadata": {"name": "default", "namespace": "default"}}
        with suppress(ApiError):  # it may be there already
            await rig.admin.create(SERVICE_ACCOUNTS, account)
        await rig.admin.create(CONFIG_MAPS, config_map("tick"))
        await rig.admin.create(CONFIG_MAPS, large_object())
        await eventually_looping(rig)
        for number in range(PODS_STORED):
            await rig.admin.create(PODS, pod(f"p{number}"))
        yield rig


async def eventually_looping(rig: Rig) -> None:
    """Serve a kind and follow a policy whose rules take all they may; document a kind of many fields."""
    for path, body in (
        (DEFINITIONS, definition("wides", "true", width=5000)),
        (DEFINITIONS, definition("loops", LOOPING_RULE)),
    ):
        assert (await rig.http("POST", path, body))[0] == 201

    async def is_served() -> bool:
        return (await rig.http("GET", LOOPS))[0] == 200

    await eventually(is_served)
    for path, body in ((POLICIES, policy("loops", LOOPING_RULE)), (BINDINGS, binding("loops"))):
        assert (await rig.http("POST", path, body))[0] == 201


async def ask(rig: Rig, what: Heavy) -> int:
    """Send it, take the whole answer; its status."""
    url = f"{rig.server.url}{what.path}"
    headers = {"Authorization": "Bearer admin-token", "Accept": what.accept, "User-Agent": "heavy"}
    if what.body:
        headers["Content-Type"] = what.content_type
    async with rig.session.request(
        what.method, url, data=io.BytesIO(what.body) if what.body else None, headers=headers
    ) as answer:
        async for _ in answer.content.iter_chunked(1 << 16):
            await asyncio.sleep(0)  # taking it must not keep the ticker from looking
        return answer.status


async def longest_wait(rig: Rig, work: Callable[[], Awaitable[object]]) -> float:
    """The longest a ticker waits for one object while `work` goes on, in seconds (`tests.timing`)."""
    async with connected(rig.server.port) as peer:
        with spent() as measured:
            turn, working = LongestTurn(), asyncio.ensure_future(work())
            while not working.done():
                peer.writer.write(request("GET", f"{DEFAULT}/configmaps/tick"))
                assert (await peer.reply()).code == 200
                turn.end()
                turn.begin()  # before it sleeps: whatever keeps it from waking is in its way, too
                await asyncio.sleep(0.001)
            await working
        return turn.longest_s / measured.slowness


async def longest_waits(rig: Rig, requests: dict[str, Heavy]) -> dict[str, str]:
    """The requests during which a ticker waits too long, and how long."""
    waits = {
        name: await least_awaited(partial(longest_wait, rig, partial(ask, rig, what)), LONGEST_WAIT_S)
        for name, what in requests.items()
    }
    return {name: f"{wait * 1000:.0f} ms" for name, wait in waits.items() if wait >= LONGEST_WAIT_S}


async def test_nobody_waits_for_a_heavy_request() -> None:
    async with filled() as rig:
        assert await longest_waits(rig, HEAVY) == {}


async def test_nobody_waits_for_what_was_before() -> None:
    """A page of a moment before thousands of writes, and a watch that goes on from there."""
    async with filled() as rig:
        then = rig.server.core.store.revision - 2 * PODS_STORED // 3
        token = encode_token(then, "default/p0")
        requests = {
            "page": Heavy("GET", f"{DEFAULT}/pods?limit=100&continue={token}"),
            "watch": Heavy("GET", f"{DEFAULT}/pods?watch=1&timeoutSeconds=1&resourceVersion={then}"),
        }
        assert await longest_waits(rig, requests) == {}


async def test_nobody_waits_for_what_a_webhook_answers() -> None:
    """A patch of a megabyte, to be read, applied, and held against the type."""
    async with running() as rig, hooks(rig) as hook:
        assert (await rig.http("POST", f"{DEFAULT}/configmaps", config_map("tick")))[0] == 201
        answer = patched({"op": "add", "path": "/data", "value": large_object()["data"]})
        hook.answers["/large"] = lambda _: answer
        await hook.configure("Mutating", "large", hook.webhook("/large"))
        sent = post(f"{DEFAULT}/configmaps?dryRun=All", config_map("patched"))
        assert await ask(rig, sent) == 201
        assert await longest_waits(rig, {"patch": sent}) == {}
