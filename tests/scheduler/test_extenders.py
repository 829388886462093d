"""Extenders filter, give points and bind over HTTP; what they do wrong costs only their own pods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.scheduler.configuration import API_VERSION, KIND, SchedulerConfiguration, read_configuration


class Server:
    """Answers what the test says, by verb; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1])
            for line in head.split("\r\n")
            if line.lower().startswith("content-length")
        )
        verb = head.split()[1].rpartition("/")[2]
        body = json.loads(await reader.readexactly(length))
        self.asked.append((verb, body))
        answer = self.answers.get(verb)
        if callable(answer):
            answer = answer(body)
        status, text = ("500 Broken", "") if answer is None else ("200 OK", json.dumps(answer))
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def extender() -> AsyncIterator[Server]:
    found = Server()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/scheduler"
    yield found
    server.close()
    await server.wait_closed()


def configured(url: str, **settings: Any) -> SchedulerConfiguration:
    fields = {
        "urlPrefix": url,
        "filterVerb": "filter",
        "prioritizeVerb": "prioritize",
        "weight": 10,
        **settings,
    }
    return read_configuration(
        yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, "extenders": [fields]})
    )


async def bound(client: Client, name: str, node: str) -> None:
    """Return once the pod of that name is on the node."""

    async def is_there() -> bool:
        return await where(client, name) == node

    await eventually(is_there)


async def test_an_extender_filters_and_gives_points() -> None:
    async with extender() as server:
        server.answers = {
            "filter": {"NodeNames": ["b", "c"], "FailedNodes": {"a": "too far"}},
            "prioritize": [{"Host": "c", "Score": 10}, {"Host": "b", "Score": 1}],
        }
        config = configured(server.url, nodeCacheCapable=True)
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            for name in "abc":
                await make_node(client, name)
            await make_pod(client, "web")
            await bound(client, "web", "c")
        verb, body = server.asked[0]
        assert verb == "filter"
        assert (body["Pod"]["metadata"]["name"], sorted(body["NodeNames"])) == ("web", ["a", "b", "c"])


async def test_its_reasons_are_told_and_it_is_asked_again() -> None:
    async with extender() as server:
        server.answers = {"filter": {"nodes": {"items": []}, "failedNodes": {"a": "too far"}}}
        async with scheduled(HurriedClock(), configuration=configured(server.url)) as (client, _):
            await make_node(client, "a")
            await make_pod(client, "web")

            async def told() -> bool:
                return any("1 too far." in text for text in await messages(client, "FailedScheduling"))

            await eventually(told)
            assert server.asked[0][1]["Nodes"]["items"][0]["metadata"]["name"] == "a"
            server.answers = {"filter": {"nodes": {"items": [{"metadata": {"name": "b"}}]}}}
            await make_node(client, "b")
            await bound(client, "web", "b")


@pytest.mark.parametrize("ignorable", [True, False])
async def test_one_that_fails(ignorable: bool) -> None:
    async with extender() as server:
        config = configured(server.url, ignorable=ignorable)
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            await make_node(client, "a")
            await make_pod(client, "web")

            async def seen() -> bool:
                if ignorable:
                    return await where(client, "web") == "a"
                return any("code 500" in text for text in await messages(client, "FailedScheduling"))

            await eventually(seen)
            if not ignorable:
                server.answers = {"filter": {"nodes": {"items": [{"metadata": {"name": "a"}}]}}}
                await bound(client, "web", "a")


async def test_it_binds_the_pods_it_manages_and_hears_of_no_others() -> None:
    async with extender() as server:
        server.answers = {"filter": {"nodes": {"items": [{"metadata": {"name": "a"}}]}}, "bind": {}}
        managed = [{"name": "example.com/gpu", "ignoredByScheduler": True}]
        config = configured(server.url, bindVerb="bind", managedResources=managed)
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            await make_node(client, "a")
            await make_pod(client, "plain")
            await bound(client, "plain", "a")
            assert server.asked == []
            requests = {"example.com/gpu": "1"}
            limits = {
                "containers": [
                    {"name": "c", "image": "i", "resources": {"requests": requests, "limits": requests}}
                ]
            }
            await make_pod(client, "gpu", **limits)

            async def asked() -> bool:
                return any(verb == "bind" for verb, _ in server.asked)

            await eventually(asked)
            body = next(body for verb, body in server.asked if verb == "bind")
            assert (body["PodName"], body["PodNamespace"], body["Node"]) == ("gpu", "default", "a")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([], "is no object"),
        ({"Error": "no idea"}, "no idea"),
        ({"nodes": {"items": [{"metadata": {"name": "z"}}]}}, 'claims a filtered node "z"'),
    ],
)
async def test_answers_that_are_none(answer: Any, text: str) -> None:
    async with extender() as server:
        server.answers = {"filter": answer}
        async with scheduled(HurriedClock(), configuration=configured(server.url)) as (client, _):
            await make_node(client, "a")
            await make_pod(client, "web")

            async def told() -> bool:
                return any(text in message for message in await messages(client, "FailedScheduling"))

            await eventually(told)


async def test_an_answer_longer_than_one_read_is_read_to_its_end() -> None:
    many = {f"node-{number:05}": "x" * 100 for number in range(5000)}
    async with extender() as server:
        server.answers = {"filter": {"NodeNames": ["a"], "FailedNodes": many}}
        config = configured(server.url, nodeCacheCapable=True, prioritizeVerb="")
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            await make_node(client, "a")
            await make_pod(client, "web")
            await bound(client, "web", "a")


@pytest.mark.parametrize(
    "answers",
    [
        {"filter": {"NodeNames": [["a"]]}},
        {"filter": {"NodeNames": 5}},
        {"filter": {"Nodes": {"items": {"a": 1}}}},
        {"filter": {"NodeNames": ["a"]}, "prioritize": [{"Host": "a", "Score": [1]}]},
    ],
    ids=str,
)
async def test_nonsense_of_an_ignorable_extender_costs_nothing(answers: dict[str, Any]) -> None:
    async with extender() as server:
        server.answers = answers
        config = configured(server.url, nodeCacheCapable=True, ignorable=True)
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            await make_node(client, "a")
            await make_pod(client, "web")
            await bound(client, "web", "a")


async def preempting(client: Client) -> None:
    """Two nodes, each full with a pod of its own, and one that would have either go."""
    for name in "ab":
        await make_node(client, name, cpu="1")
        await make_pod(client, f"small-{name}", requests={"cpu": "1"}, nodeName=name)
    await make_pod(client, "vital", requests={"cpu": "1"}, priorityClassName="system-node-critical")


@pytest.mark.parametrize("by_name", [True, False])
async def test_it_has_a_say_in_whom_to_evict(by_name: bool) -> None:
    async with extender() as server:
        config = configured(server.url, nodeCacheCapable=by_name, preemptVerb="preempt", filterVerb="")
        async with scheduled(HurriedClock(), configuration=config) as (client, _):

            def answer(body: Any) -> Any:
                victims = body["NodeNameToMetaVictims" if by_name else "NodeNameToVictims"]
                [pod] = victims["b"]["Pods"]
                uid = pod["UID"] if by_name else pod["metadata"]["uid"]
                return {"nodeNameToMetaVictims": {"b": {"pods": [{"uid": uid}], "numPDBViolations": 0}}}

            server.answers = {"prioritize": [], "preempt": answer}
            await preempting(client)

            async def told() -> bool:
                return len(await messages(client, "Preempted")) == 1

            await eventually(told)
            assert (await client.get(PODS, "small-b", "default"))["metadata"].get("deletionTimestamp")
            assert not (await client.get(PODS, "small-a", "default"))["metadata"].get("deletionTimestamp")
        body = next(body for verb, body in server.asked if verb == "preempt")
        assert body["Pod"]["metadata"]["name"] == "vital"
        assert (body["NodeNameToVictims"] is None) is by_name
        assert (body["NodeNameToMetaVictims"] is None) is not by_name


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"NodeNameToMetaVictims": {}}, "preemption: no candidate node for preemption"),
        ({"NodeNameToMetaVictims": {"a": {"Pods": []}}}, 'expected at least one victim pod on node "a"'),
        ({"NodeNameToMetaVictims": {"z": {"Pods": []}}}, 'nodeinfo not found for node name "z"'),
        (
            {"NodeNameToMetaVictims": {"a": {"Pods": [{"UID": "7"}]}}},
            "claims to preempt pod (UID: 7) on node: a, but the pod is not found on that node",
        ),
        ({"NodeNameToMetaVictims": [1]}, "its nodes with victims are no object"),
        (None, "failed preempt with extender"),
    ],
)
async def test_nobody_is_evicted_against_its_word(answer: Any, text: str) -> None:
    async with extender() as server:
        config = configured(server.url, preemptVerb="preempt", filterVerb="", prioritizeVerb="")
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            server.answers = {"preempt": answer}
            await preempting(client)

            async def told() -> bool:
                return any(text in message for message in await messages(client, "FailedScheduling"))

            await eventually(told)
            assert await messages(client, "Preempted") == []


async def test_an_ignorable_one_that_fails_is_passed_over() -> None:
    async with extender() as server:
        config = configured(
            server.url, preemptVerb="preempt", ignorable=True, filterVerb="", prioritizeVerb=""
        )
        async with scheduled(HurriedClock(), configuration=config) as (client, _):
            await preempting(client)

            async def told() -> bool:
                return len(await messages(client, "Preempted")) == 1

            await eventually(told)
