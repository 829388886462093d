"""Environment variables, `$(NAME)` and the downward API."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.growth.meter import time_growth
from tests.kubelet.builders import make_pod
from wherry.kubelet.environment import (
    ConfigFailure,
    Surroundings,
    container_environment,
    references_of,
    service_environment,
)
from wherry.kubelet.expansion import TooLong, expand, missing_references
from wherry.kubelet.fields import UnknownField, format_map, read_field, read_resource
from wherry.objects.meta import Object

OBJECTS: dict[tuple[str, str], Object] = {
    ("ConfigMap", "c"): {"data": {"k": "v", "other": "o"}},
    ("Secret", "s"): {"data": {"pw": base64.b64encode(b"hush").decode()}},
}
AROUND = Surroundings(["192.0.2.1"], ["10.0.0.9", "fd00::9"], {"cpu": "2", "memory": "4096Ki"})


def environment(container: Object, around: Surroundings = AROUND, **spec: Any) -> dict[str, str]:
    container = {"name": "web", **container}
    pod = make_pod(container, nodeName="n1", **spec)
    pod["metadata"]["labels"] = {"app": "x"}
    return dict(container_environment(pod, container, lambda k, n: OBJECTS.get((k, n)), around))


def variable(name: str, **source: Any) -> Object:
    return {"name": name, "valueFrom": source}


CASES: list[tuple[Object, dict[str, str]]] = [
    ({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2$(C)"}]}, {"A": "1", "B": "12$(C)"}),
    ({"env": [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}]}, {"B": "$(A)", "A": "1"}),
    ({"env": [{"name": "A", "value": "$$(A)"}]}, {"A": "$(A)"}),
    ({"env": [{"name": "A"}]}, {"A": ""}),
    ({"envFrom": [{"configMapRef": {"name": "c"}, "prefix": "P_"}]}, {"P_k": "v", "P_other": "o"}),
    ({"envFrom": [{"secretRef": {"name": "s"}}]}, {"pw": "hush"}),
    (
        {"envFrom": [{"configMapRef": {"name": "c"}}], "env": [{"name": "k", "value": "mine $(other)"}]},
        {"k": "mine o", "other": "o"},
    ),
    ({"envFrom": [{"configMapRef": {"name": "no", "optional": True}}]}, {}),
    ({"env": [variable("A", configMapKeyRef={"name": "c", "key": "k"})]}, {"A": "v"}),
    ({"env": [variable("A", secretKeyRef={"name": "s", "key": "pw"})]}, {"A": "hush"}),
    ({"env": [variable("A", secretKeyRef={"name": "s", "key": "x", "optional": True})]}, {}),
    ({"env": [variable("A", secretKeyRef={"name": "no", "key": "x", "optional": True})]}, {}),
    ({"env": [variable("A", fieldRef={"fieldPath": "status.podIPs"})]}, {"A": "10.0.0.9,fd00::9"}),
    ({"env": [variable("A", fieldRef={"fieldPath": "spec.nodeName"})]}, {"A": "n1"}),
    ({"env": [variable("A", fieldRef={"fieldPath": "metadata.labels['app']"})]}, {"A": "x"}),
    ({"env": [variable("A", resourceFieldRef={"resource": "limits.cpu"})]}, {"A": "2"}),
]


@pytest.mark.parametrize(("container", "expected"), CASES)
def test_environment(container: Object, expected: dict[str, str]) -> None:
    assert environment(container) == expected


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "no"}}]}, 'configmap "no" not found'),
        ({"env": [variable("A", secretKeyRef={"name": "no", "key": "k"})]}, 'secret "no" not found'),
        (
            {"env": [variable("A", configMapKeyRef={"name": "c", "key": "x"})]},
            "couldn't find key x in ConfigMap ns/c",
        ),
        (
            {"env": [variable("A", secretKeyRef={"name": "s", "key": "x"})]},
            "couldn't find key x in Secret ns/s",
        ),
        ({"env": [variable("A", fieldRef={"fieldPath": "spec.x"})]}, "unsupported fieldPath: spec.x"),
    ],
)
def test_what_cannot_be_configured(container: Object, message: str) -> None:
    with pytest.raises(ConfigFailure) as caught:
        environment(container)
    assert str(caught.value) == message


def service(name: str, namespace: str, ip: str, *ports: Object) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": ip, "ports": list(ports)},
    }


MASTER = service("kubernetes", "default", "10.96.0.1", {"name": "https", "port": 443})
REDIS = service(
    "my-redis", "ns", "10.96.0.7", {"port": 6379}, {"name": "gossip-x", "port": 7000, "protocol": "UDP"}
)


def test_service_variables() -> None:
    headless, foreign = (
        service("h", "ns", "None", {"port": 1}),
        service("f", "other", "10.96.0.9", {"port": 1}),
    )
    found = service_environment([MASTER, REDIS, headless, foreign], "ns", links=True)
    assert found == {
        "MY_REDIS_SERVICE_HOST": "10.96.0.7",
        "MY_REDIS_SERVICE_PORT": "6379",
        "MY_REDIS_SERVICE_PORT_GOSSIP_X": "7000",
        "MY_REDIS_PORT": "tcp://10.96.0.7:6379",
        "MY_REDIS_PORT_6379_TCP": "tcp://10.96.0.7:6379",
        "MY_REDIS_PORT_6379_TCP_PROTO": "tcp",
        "MY_REDIS_PORT_6379_TCP_PORT": "6379",
        "MY_REDIS_PORT_6379_TCP_ADDR": "10.96.0.7",
        "MY_REDIS_PORT_7000_UDP": "udp://10.96.0.7:7000",
        "MY_REDIS_PORT_7000_UDP_PROTO": "udp",
        "MY_REDIS_PORT_7000_UDP_PORT": "7000",
        "MY_REDIS_PORT_7000_UDP_ADDR": "10.96.0.7",
        **service_environment([MASTER], "ns", links=True),
    }


def test_without_links_only_the_api_server_is_told() -> None:
    found = environment(
        {"env": [{"name": "URL", "value": "$(KUBERNETES_SERVICE_HOST)"}]},
        Surroundings([], [], {}, [MASTER, REDIS]),
        enableServiceLinks=False,
    )
    assert found["URL"] == "10.96.0.1"
    assert not any(name.startswith("MY_REDIS") for name in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NO)", "$(NO)"),
        ("$A $", "$A $"),
        ("$(A", "$(A"),
        ("a$$b", "a$b"),
        ("$$$", "$$"),
        ("$($(A)", "$($(A)"),
        ("$()", "$()"),
        ("$(A)$(A$$", "1$(A$"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


@pytest.mark.parametrize("piece", ["$(", "$", "$(A", "$(A)", "$$(A)", "x", "$()", "$((", "))$("])
@pytest.mark.parametrize("end", ["", ")"])
def test_expansion_takes_time_as_its_text(piece: str, end: str) -> None:
    def work(text: str) -> None:
        expand(text, {"A": ""})
        missing_references(text, {})

    assert not time_growth(work, lambda times: piece * times + end, 20_000)


@pytest.mark.parametrize("letter", ["x", "\N{EURO SIGN}"])
def test_what_is_expanded_is_bounded(letter: str) -> None:
    entries = [{"name": "A0", "value": letter * 100}]
    entries += [{"name": f"A{n}", "value": f"$(A{n - 1})" * 2} for n in range(1, 40)]
    with pytest.raises(ConfigFailure, match=r"environment variable A(9|11): longer than 131071 bytes"):
        environment({"env": entries})
    with pytest.raises(TooLong):
        expand("$(A)" * 250_000, {"A": letter * 60_000})


def test_many_long_values_are_bounded_together() -> None:
    entries = [{"name": "A", "value": "x" * 100_000}]
    entries += [{"name": f"B{n}", "value": "$(A)"} for n in range(100)]
    with pytest.raises(ConfigFailure, match="the environment is longer than"):
        environment({"env": entries})


def test_what_is_merely_long_is_left_to_the_kernel() -> None:
    text = "x" * 200_000 + "$(A)"
    assert expand(text, {"A": ""}) == "x" * 200_000


def test_missing_references() -> None:
    assert missing_references("$(A)/$(B)/$$(C)", {"A": ""}) == ["B"]


def test_references() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
        "env": [variable("A", configMapKeyRef={"name": "c", "key": "k"}), {"name": "B", "value": "1"}],
    }
    assert references_of(container) == {("ConfigMap", "a"), ("Secret", "b"), ("ConfigMap", "c")}


def test_maps_as_files() -> None:
    assert format_map({"b": 'say "x"\n', "a": "1"}) == 'a="1"\nb="say \\"x\\"\\n"'


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "32"),
        ({"resource": "limits.memory"}, "4194304"),
    ],
)
def test_resource_fields(reference: Object, expected: str) -> None:
    pod = make_pod({"name": "web", "resources": {"limits": {"cpu": "500m"}, "requests": {"memory": "32Mi"}}})
    assert read_resource(pod, reference, "web", {"memory": "4Mi"}) == expected


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(UnknownField):
        read_field(make_pod(), "status.phase", [], [])
