"""Environment variables, `$(NAME)` and the downward API."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.growth.meter import time_growth
from tests.kubelet.builders import make_pod
from tests.openings import openings
from wherry.kubelet.env_files import MOST_BYTES, MalformedFile, find_variable
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


FILE = """# what an init container wrote
  A='plain'

B='two
lines' # and a comment
EMPTY=
ALSO= 'nothing'
C='$HOME "quoted" # no comment'
"""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("A", "plain"),
        ("B", "two\nlines"),
        ("EMPTY", ""),
        ("ALSO", ""),
        ("C", '$HOME "quoted" # no comment'),
        ("X", ""),
    ],
)
def test_variables_in_files(key: str, value: str) -> None:
    assert find_variable(FILE, key) == value
    assert find_variable(FILE.replace("\n", "\r\n"), key) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "at line 1: missing '='"),
        ("\n='x'", "at line 2: empty variable name"),
        ("A ='x'", "at line 1: whitespace before '=' is not allowed"),
        ("A=x", "at line 1: value must be enclosed in single quotes"),
        ("A='x' y", "at line 1: unexpected content after closing quote"),
        ("A='x\ny' z", "at line 2: unexpected content after closing quote"),
        ("\nA='x\n\n", "starting at line 2: unclosed single quote"),
    ],
)
def test_files_that_are_malformed(text: str, message: str) -> None:
    with pytest.raises(MalformedFile) as caught:
        find_variable(text, "Z")
    assert str(caught.value) == f"invalid environment variable format {message}"
    assert find_variable(f"FIRST='1'\n{text}", "FIRST") == "1", "it is not read any further"


def file_key(**reference: Any) -> Object:
    return variable("V", fileKeyRef={"volumeName": "v", "path": "config.env", "key": "A", **reference})


@pytest.fixture
def beside(tmp_path: Path) -> Surroundings:
    (tmp_path / "v" / "d").mkdir(parents=True)
    (tmp_path / "v" / "config.env").write_text(FILE)
    (tmp_path / "v" / "bad.env").write_text("A")
    (tmp_path / "v" / "link.env").symlink_to("/config.env")
    (tmp_path / "v" / "out.env").symlink_to("../secret.env")
    (tmp_path / "v" / "around").symlink_to("/..")
    os.mkfifo(tmp_path / "v" / "pipe.env")
    (tmp_path / "v" / "large.env").write_bytes(b"#" * (MOST_BYTES + 1))
    (tmp_path / "secret.env").write_text("A='of the node'")
    return replace(AROUND, volumes={"v": tmp_path / "v"})


def test_a_variable_out_of_a_file(beside: Surroundings) -> None:
    assert environment({"env": [file_key()]}, beside) == {"V": "plain"}
    assert environment({"env": [file_key(path="link.env")]}, beside) == {"V": "plain"}
    for path, key in (("config.env", "X"), ("config.env", "EMPTY"), ("no.env", "A")):
        assert environment({"env": [file_key(path=path, key=key, optional=True)]}, beside) == {}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"volumeName": "no"}, 'cannot find the volume "no" referenced by FileKeyRef'),
        ({"volumeName": "no", "optional": True}, 'cannot find the volume "no" referenced by FileKeyRef'),
        ({"path": "no.env"}, "couldn't parse env file"),
        ({"path": "bad.env", "key": "Z"}, "couldn't parse env file"),
        ({"path": "bad.env", "optional": True}, "couldn't parse env file"),
        ({"path": "d"}, "couldn't parse env file"),
        ({"path": "pipe.env"}, "couldn't parse env file"),
        ({"path": "large.env"}, "couldn't parse env file"),
        ({"path": "out.env"}, "couldn't parse env file"),
        ({"path": "around/secret.env"}, "couldn't parse env file"),
    ],
)
def test_files_that_do_not_have_it(beside: Surroundings, reference: Object, message: str) -> None:
    with pytest.raises(ConfigFailure) as caught:
        environment({"env": [file_key(**reference)]}, beside)
    assert str(caught.value) == message


def test_a_pipe_in_the_place_of_a_file_is_not_opened(beside: Surroundings) -> None:
    with openings(beside.volumes["v"]) as opened, pytest.raises(ConfigFailure):
        environment({"env": [file_key(path="pipe.env")]}, beside)
    assert opened == []


def test_a_key_that_is_not_there_is_told_with_its_file(beside: Surroundings) -> None:
    with pytest.raises(ConfigFailure) as caught:
        environment({"env": [file_key(key="X")]}, beside)
    path = beside.volumes["v"] / "config.env"
    assert str(caught.value) == f'environment variable key "X" not found in file "{path}"'
