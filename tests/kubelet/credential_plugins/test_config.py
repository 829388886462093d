"""CredentialProviderConfig: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.kubelet.credential_plugins.config import ProvidersError, read_providers

PROVIDER = {
    "name": "ecr",
    "matchImages": ["*.dkr.ecr.*.amazonaws.com"],
    "defaultCacheDuration": "12h",
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
}
TOKEN = {"serviceAccountTokenAudience": "reg", "cacheType": "Token", "requireServiceAccount": True}


def write(
    folder: Path, *providers: dict[str, Any], version: str = "v1", name: str = "providers.yaml"
) -> Path:
    """A configuration and the programs it names."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for provider in providers:
        if "/" not in provider.get("name", ""):
            (programs / provider["name"]).touch(mode=0o755)
    file = folder / name
    told = {"kind": "CredentialProviderConfig", "apiVersion": f"kubelet.config.k8s.io/{version}"}
    file.write_text(json.dumps({**told, "providers": providers}))
    return file


def refused(folder: Path, config: Path) -> str:
    with pytest.raises(ProvidersError) as caught:
        read_providers(config, folder / "bin")
    return str(caught.value)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_a_configuration(tmp_path: Path, version: str) -> None:
    env = [{"name": "REGION", "value": "x"}]
    config = write(tmp_path, {**PROVIDER, "args": ["get"], "env": env}, version=version)
    (found,) = read_providers(config, tmp_path / "bin")
    assert (found.path, found.cache_s, found.args) == (tmp_path / "bin/ecr", 43200.0, ("get",))
    assert found.env == (("REGION", "x"),)
    assert read_providers(None, None) == ()


def test_a_folder_of_files_is_read_in_order(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    write(parts, {**PROVIDER, "name": "b"}, name="2.json")
    write(parts, {**PROVIDER, "name": "a"}, name="3.yml")
    (parts / "1.txt").write_text("no")
    assert [one.name for one in read_providers(parts, parts / "bin")] == ["b", "a"]
    write(parts, {**PROVIDER, "name": "a"}, name="4.yaml")
    with pytest.raises(ProvidersError, match='duplicate provider name "a" found in configuration file'):
        read_providers(parts, parts / "bin")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ProvidersError, match="no configuration files found in directory"):
        read_providers(empty, parts / "bin")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "a/b"}, "providers.name: Invalid value: \"a/b\": provider name cannot contain '/'"),
        ({"apiVersion": ""}, "providers.apiVersion: Required value"),
        (
            {"apiVersion": "x/v1"},
            (
                'providers.apiVersion: Unsupported value: "x/v1": supported values: '
                '"credentialprovider.kubelet.k8s.io/v1", "credentialprovider.kubelet.k8s.io/v1alpha1", '
                '"credentialprovider.kubelet.k8s.io/v1beta1"'
            ),
        ),
        (
            {"matchImages": []},
            "providers.matchImages: Required value: at least 1 item in matchImages is required",
        ),
        ({"defaultCacheDuration": None}, "providers.defaultCacheDuration: Required value"),
        (
            {"defaultCacheDuration": "-1s"},
            (
                'providers.defaultCacheDuration: Invalid value: "-1s": defaultCacheDuration must be greater '
                "than or equal to 0"
            ),
        ),
        (
            {"tokenAttributes": {**TOKEN, "serviceAccountTokenAudience": ""}},
            "providers.tokenAttributes.serviceAccountTokenAudience: Required value",
        ),
        (
            {"tokenAttributes": {**TOKEN, "cacheType": ""}},
            (
                "providers.tokenAttributes.cacheType: Required value: cacheType is required to be set when "
                "tokenAttributes is specified. Supported values are: ServiceAccount, Token"
            ),
        ),
        (
            {
                "tokenAttributes": {
                    **TOKEN,
                    "requiredServiceAccountAnnotationKeys": ["a"],
                    "optionalServiceAccountAnnotationKeys": ["a"],
                }
            },
            (
                'providers.tokenAttributes: Invalid value: ["a"]: annotation keys cannot be both required '
                "and optional"
            ),
        ),
        (
            {"apiVersion": "credentialprovider.kubelet.k8s.io/v1beta1", "tokenAttributes": TOKEN},
            (
                "providers.tokenAttributes: Forbidden: tokenAttributes is only supported for "
                "credentialprovider.kubelet.k8s.io/v1 API version"
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_provider(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    said = refused(tmp_path, write(tmp_path, {**PROVIDER, **changes}))
    assert said == f"failed to validate credential provider config: {why}"


def test_none_is_too_few(tmp_path: Path) -> None:
    why = "providers: Required value: at least 1 item in plugins is required"
    assert refused(tmp_path, write(tmp_path)).endswith(why)


def test_programs_must_be_there(tmp_path: Path) -> None:
    config = write(tmp_path, PROVIDER)
    program = tmp_path / "bin/ecr"
    program.unlink()
    assert refused(tmp_path, config) == f"plugin binary executable {program} did not exist"
    program.mkdir()
    assert "is a directory" in refused(tmp_path, config)
    with pytest.raises(ProvidersError, match="plugin binary directory /nowhere did not exist"):
        read_providers(config, Path("/nowhere"))
    with pytest.raises(ProvidersError, match="credential provider config path is empty"):
        read_providers(None, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "providers: &hunter2 [*hunter2]",
        "a: *hunter2",
        "env: !!int hunter2",
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: [hunter2]",
        (
            "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n"
            "providers: [{env: [{name: A, value: [hunter2]}]}]"
        ),
        "hunter2: 1\nhunter2: 2\n",
        "\xff hunter2: [",
    ],
)
def test_no_secret_is_in_a_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "bin").mkdir()
    file = tmp_path / "c.yaml"
    file.write_text(text)
    said = refused(tmp_path, file)
    assert str(file) in said
    assert "hunter2" not in said


def test_unknown_fields(tmp_path: Path) -> None:
    said = refused(tmp_path, write(tmp_path, {**PROVIDER, "matchimages": []}))
    assert said.endswith('strict decoding error: unknown field "providers[0].matchimages"')
    older = write(tmp_path, {**PROVIDER, "tokenAttributes": TOKEN}, version="v1beta1")
    assert refused(tmp_path, older).endswith('unknown field "providers[0].tokenAttributes"')
