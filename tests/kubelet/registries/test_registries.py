"""`registries.yaml` as k3s has it: what it says, what containerd is told, what is pulled by other names."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.httpd.peer import self_signed
from wherry.kit.yaml_reader import YamlError
from wherry.kubelet.registries.hosts import auth_tables, hosts_files, write_hosts
from wherry.kubelet.registries.registries import (
    NONE,
    Auth,
    Registries,
    RegistriesError,
    parse_registries,
    read_registries,
)
from wherry.kubelet.registries.rewriting import RewritingPulls, other_names, whole_reference
from wherry.kubelet.runtimes.failures import RuntimeFailure

WHOLE = """
mirrors:
  docker.io:
    endpoint:
      - "https://mirror.example.com:5000"
      - "http://10.0.0.5/v2/hub"
  quay.io:
    endpoint: ["mirror.example.com:5000"]
    rewrite:
      "^rancher/(.*)": "mirrored/rancher-images/$1"
      "^(library)/(?P<name>.*)$": "${name}-of-$1"
  "*":
    endpoint: ["https://cache.example.com"]
configs:
  "mirror.example.com:5000":
    auth: {username: reader, password: letmein}
    tls: {ca_file: /etc/ca.pem, cert_file: /etc/cert.pem, key_file: /etc/key.pem}
  registry.example.com:
    auth: {auth: cmVhZGVyOmxldG1laW4=}
    tls: {insecure_skip_verify: true}
"""


def test_what_containerd_is_told() -> None:
    files = hosts_files(parse_registries(WHOLE))
    assert set(files) == {"docker.io", "mirror.example.com:5000", "_default", "registry.example.com"}
    pulls = {"capabilities": ["pull", "resolve"]}
    tls = {"ca": "/etc/ca.pem", "client": [["/etc/cert.pem", "/etc/key.pem"]]}
    assert tomllib.loads(files["docker.io"]) == {
        "server": "https://registry-1.docker.io",
        "host": {
            "https://mirror.example.com:5000": {**pulls, **tls},
            "http://10.0.0.5/v2/hub": {**pulls, "override_path": True},
        },
    }
    assert tomllib.loads(files["_default"]) == {"host": {"https://cache.example.com": pulls}}
    assert tomllib.loads(files["registry.example.com"]) == {
        "server": "https://registry.example.com",
        "skip_verify": True,
    }
    assert tomllib.loads(files["mirror.example.com:5000"]) == {
        "server": "https://mirror.example.com:5000",
        **tls,
    }
    assert auth_tables(parse_registries(WHOLE)) == {
        "mirror.example.com:5000": {"username": "reader", "password": "letmein"},
        "registry.example.com": {"auth": "cmVhZGVyOmxldG1laW4="},
    }


def test_files_that_are_not_wanted_any_more_go(tmp_path: Path) -> None:
    write_hosts(tmp_path / "certs.d", parse_registries(WHOLE))
    assert (tmp_path / "certs.d" / "docker.io" / "hosts.toml").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "certs.d").stat().st_mode & 0o777 == 0o700
    write_hosts(tmp_path / "certs.d", parse_registries("mirrors: {quay.io: {endpoint: [a.example]}}"))
    assert [entry.name for entry in (tmp_path / "certs.d").iterdir()] == ["quay.io"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "it must be a map, not a list"),
        ("mirror: {}", "mirror: no such field; did you mean mirrors?"),
        ("mirrors: []", "mirrors must be a map, not a list"),
        (
            "mirrors: {a.example: {endpoints: []}}",
            'mirrors."a.example".endpoints: no such field; did you mean endpoint?',
        ),
        (
            "mirrors: {a.example: {endpoint: b.example}}",
            'mirrors."a.example".endpoint must be a list of URLs, not a string',
        ),
        (
            "mirrors: {a.example: {endpoint: ['ftp://b.example']}}",
            "endpoint[0]: is no URL of a registry; write it as https://HOST[:PORT][/PATH]",
        ),
        ("mirrors: {a.example: {endpoint: ['https://u:p@b.example']}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: ['https://[::1']}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: [5]}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: ['https://b.example:99999']}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: ['https://b.example:0']}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: ['https://b.example/v2/%2e%2e']}}", "without escapes"),
        ("mirrors: {a.example: {endpoint: ['https://b.example/a b']}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: ['https://b.example/a#b']}}", "is no URL of a registry"),
        ("mirrors: {a.example: {endpoint: ['https://b.example/a?']}}", "is no URL of a registry"),
        ('mirrors: {a.example: {endpoint: ["https://b.example/a\\nb"]}}', "is no URL of a registry"),
        ("mirrors: {'a.example:99999': {}}", "mirrors: entry 1 is no registry; name its host, and its port"),
        (
            "configs: {a.example: {auth: {'reader:hunter2': x}}}",
            'configs."a.example".auth has a field that is none of username, password, auth, ',
        ),
        (
            "configs: {a.example: {tls: {cert_file: /c}}}",
            'configs."a.example".tls.key_file: is missing; a certificate and its key go together',
        ),
        (
            "configs: {a.example: {tls: {ca_file: ca.pem}}}",
            'configs."a.example".tls.ca_file: ca.pem: must be an absolute path',
        ),
        (
            "configs: {a.example: {tls: {ca_file: /no/where}}}",
            'configs."a.example".tls.ca_file: /no/where: No such file or directory',
        ),
        (
            "configs: {a.example: {tls: {ca_file: /dev/null}}}",
            'configs."a.example".tls.ca_file: /dev/null: holds no certificate in PEM',
        ),
        (
            "mirrors: {../../etc: {}}",
            "is no registry; name its host, and its port (1 to 65535) if it has one: HOST[:PORT]",
        ),
        ("configs: {'https://a.example': {}}", "is no registry; name its host"),
        ("configs: {'*': {}}", "is no registry; name its host"),
        (
            "mirrors: {a.example: {rewrite: {'(': x}}}",
            'rewrite."(": error parsing regexp: missing closing ): `(`',
        ),
        ("mirrors: {a.example: {rewrite: {a: 5}}}", "rewrite.a must be a string, not a number"),
        (
            "configs: {a.example: {auth: {password: 5}}}",
            'configs."a.example".auth.password must be a string, not a number',
        ),
        (
            "configs: {a.example: {tls: {insecure_skip_verify: 'yes'}}}",
            "insecure_skip_verify must be true or false",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "registries.yaml"
    file.write_text(text)
    with pytest.raises(RegistriesError) as caught:
        read_registries(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)


def test_no_password_is_repeated(tmp_path: Path) -> None:
    for text in (
        "mirrors: {a.example: {endpoint: ['https://u:letmein@b.example']}}",
        "configs: {'https://u:letmein@b.example': {}}",
        "a: *letmein",
        "configs: &letmein {a: *letmein}",
        "configs: {a.example: {auth: {password: !!int letmein}}}",
    ):
        with pytest.raises((RegistriesError, YamlError)) as caught:
            parse_registries(text)
        assert "letmein" not in str(caught.value)
    file = tmp_path / "registries.yaml"
    file.write_bytes(b"mirrors: {\xe9: {}}")
    with pytest.raises(RegistriesError, match="is no UTF-8 text"):
        read_registries(file)


def test_files_of_tls_are_looked_at(tmp_path: Path) -> None:
    one, other = self_signed(tmp_path, "one"), self_signed(tmp_path, "other")
    file = tmp_path / "registries.yaml"

    def read(ca: Path, cert: Path, key: Path) -> Registries:
        file.write_text(
            f"configs: {{a.example: {{tls: {{ca_file: {ca}, cert_file: {cert}, key_file: {key}}}}}}}"
        )
        return read_registries(file)

    assert read(one[0], *one).tls["a.example"].ca_file == str(one[0])
    with pytest.raises(RegistriesError, match="the key must be that of the certificate"):
        read(one[0], one[0], other[1])
    with pytest.raises(RegistriesError, match="are no certificate and its key in PEM"):
        read(one[0], one[1], one[1])


def test_nothing_said_changes_nothing() -> None:
    assert parse_registries("") == NONE
    assert parse_registries("mirrors:\nconfigs: {a.example: {}}") == NONE


def test_passwords_are_in_no_text() -> None:
    assert "letmein" not in repr(parse_registries(WHOLE))
    assert parse_registries("configs: {a.example: {auth: {identitytoken: t}}}").auth["a.example"] == Auth(
        identity_token="t"
    )


@pytest.mark.parametrize(
    ("reference", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("rancher/pause:3.6", "docker.io/rancher/pause:3.6"),
        ("a.example:5000/x", "a.example:5000/x:latest"),
        (f"a.example/x:1@sha256:{'0' * 64}", f"a.example/x@sha256:{'0' * 64}"),
    ],
)
def test_whole_references(reference: str, whole: str) -> None:
    assert whole_reference(reference) == whole


@pytest.mark.parametrize(
    ("whole", "others"),
    [
        ("quay.io/rancher/pause:3.6", ["mirror.example.com:5000/mirrored/rancher-images/pause:3.6"]),
        ("quay.io/library/x:1", ["mirror.example.com:5000/x-of-library:1"]),
        ("quay.io/other/x:1", ["mirror.example.com:5000/other/x:1"]),
        ("docker.io/rancher/pause:3.6", []),  # containerd asks its mirrors itself
    ],
)
def test_other_names(whole: str, others: list[str]) -> None:
    assert list(other_names(parse_registries(WHOLE), whole)) == others


class Store:
    """Images by reference, and what was asked of whom."""

    def __init__(self, *names: str) -> None:
        self.names = {*names}
        self.asked: list[tuple[str, Mapping[str, str] | None]] = []

    async def pull(self, reference: str, auth: Mapping[str, str] | None) -> str:
        self.asked.append((reference, auth))
        if reference not in self.names:
            raise RuntimeFailure("not found", "ErrImagePull")
        return f"id of {reference}"

    async def tag(self, reference: str, other: str) -> None:
        assert reference in self.names
        self.names.add(other)


RENAMED = "mirror.example.com:5000/mirrored/rancher-images/pause:3.6"


async def test_the_mirror_is_asked_first_and_gets_no_credentials_of_the_pod() -> None:
    store = Store(RENAMED)
    pulls = RewritingPulls(parse_registries(WHOLE), store.pull, store.tag)
    assert await pulls.pull("quay.io/rancher/pause:3.6", {"username": "u"}) == f"id of {RENAMED}"
    assert store.asked == [(RENAMED, None)]
    assert "quay.io/rancher/pause:3.6" in store.names


async def test_the_registry_itself_is_asked_when_no_mirror_has_it() -> None:
    store = Store("quay.io/rancher/pause:3.6")
    pulls = RewritingPulls(parse_registries(WHOLE), store.pull, store.tag)
    assert await pulls.pull("quay.io/rancher/pause:3.6", {"username": "u"})
    assert store.asked == [(RENAMED, None), ("quay.io/rancher/pause:3.6", {"username": "u"})]
    with pytest.raises(RuntimeFailure, match="not found"):
        await pulls.pull("quay.io/none:1", None)


def test_a_mirror_of_all_is_not_asked_where_there_is_one_of_its_own() -> None:
    found = parse_registries(WHOLE)
    assert found.mirror_of("docker.io").endpoints[0] == "https://mirror.example.com:5000"
    assert found.mirror_of("ghcr.io").endpoints == ("https://cache.example.com",)
    assert Registries().mirror_of("ghcr.io").endpoints == ()


def test_the_example_of_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "kubelet.md").read_text()
    example = page.partition("<!-- example: registries -->\n```yaml\n")[2].partition("```")[0]
    told = parse_registries(example)
    assert tomllib.loads(hosts_files(told)["_default"])["host"] == {
        "https://cache.example.com/v2/all": {"capabilities": ["pull", "resolve"], "override_path": True}
    }
    assert [*other_names(told, "quay.io/rancher/pause:1")] == [
        "harbor.example.com/mirrored/rancher-images/pause:1"
    ]
    assert told.auth["mirror.example.com:5000"].username == "reader"
