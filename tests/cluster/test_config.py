"""Where settings come from, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wherry.cluster.clusters import Machine, effective_config
from wherry.cluster.config import ConfigError, Setup, dump_config, index_defaults, overlay, read_config_file
from wherry.cluster.settings import FLAGS

HEAD = "apiVersion: wherry.dev/v1alpha1\nkind: Cluster\n"


def test_what_is_dumped_is_read_back(tmp_path: Path) -> None:
    plugins = {"disable_admission_plugins": "PodSecurity, ResourceQuota"}
    config = overlay(index_defaults("dev", 3), plugins, FLAGS)
    assert config.cluster.disable_admission_plugins == ("PodSecurity", "ResourceQuota")
    path = tmp_path / "cluster.yaml"
    path.write_text(dump_config(config))
    assert read_config_file(path, Setup.of()) == config


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "must be a mapping"),
        ("kind: Cluster", "apiVersion must be wherry.dev/v1alpha1, is None"),
        (HEAD + "port: 1", "unknown field 'port'; settings belong below spec"),
        (HEAD + "spec: {zzz: 1}", "unknown field spec.zzz; known: apiHost, apiPort"),
        (HEAD + "spec: {apiport: 1}", "unknown field spec.apiport; did you mean spec.apiPort?"),
        (HEAD + "spec: {nodes: 1}", "unknown field spec.nodes; did you mean spec.simulatedNodes?"),
        (HEAD + "---\napiVersion: v1\nkind: Pod", "has 2 documents (kind Cluster, kind Pod); write one"),
        (
            "apiVersion: v1\nkind: Pod",
            "apiVersion must be wherry.dev/v1alpha1, is 'v1' (of kind Pod)",
        ),
        (
            "apiVersion: hollow.wherry.dev/v1\nkind: Nodes",
            "of kind Nodes); such files are given with --simulation",
        ),
        (HEAD + "spec: {apiPort: 99999}", "apiPort: 99999 is not a port; use 1-65535"),
        (HEAD + "spec: {podCIDR: 10.244.0.1/24}", "is not an IPv4 range"),
        (HEAD + "spec: {podCIDR: 10.244.0.0/30}", "too small"),
        (HEAD + "spec: {nodePorts: 5}", "write it as 30000-32767"),
        (HEAD + "spec: {podCIDR: 10.96.0.0/24}", "podCIDR 10.96.0.0/24 overlaps serviceCIDR 10.96.0.0/16"),
        (HEAD + "spec: {apiPort: 30001}", "apiPort 30001 lies in nodePorts 30000-32767"),
        (
            HEAD + "spec: {runtimeConfig: {apps/v9: true}}",
            "runtimeConfig: 'apps/v9' is not known; use api/all",
        ),
        (HEAD + "spec: {runtimeConfig: {apps/v1beta1/pods: true}}", "'apps/v1beta1/pods' is not known"),
        (HEAD + "spec: {runtimeConfig: {apps/v1: false}}", "the cluster's own parts use apps/v1"),
        (HEAD + "spec: {runtimeConfig: {api/ga: false}}", "api/ga cannot be false"),
        (HEAD + "spec: {runtimeConfig: {api/beta: maybe}}", "api/beta must be true or false, is 'maybe'"),
        (HEAD + "spec: {runtimeConfig: [api/beta]}", "is no map"),
        (
            HEAD + "spec: {enableAdmissionPlugins: [PodNodeSelektor]}",
            ": enableAdmissionPlugins: PodNodeSelektor is no admission plugin; use some of Namespace",
        ),
        (
            HEAD + "spec: {disableAdmissionPlugins: [PodSecurty, Prioritie]}",
            "disableAdmissionPlugins: PodSecurty, Prioritie are no admission plugins; did you mean PodSec",
        ),
        (
            HEAD + "spec: {disableAdmissionPlugins: {a: b}}",
            "disableAdmissionPlugins: {'a': 'b'} is no list",
        ),
        (
            HEAD + "spec: {allowedUnsafeSysctls: [net.core.somaxconn, kernel.core_pattern]}",
            "allowedUnsafeSysctls: 'kernel.core_pattern' is set for the whole machine",
        ),
        (HEAD + "spec: {nodeLabels: {tier: a b}}", "nodeLabels: tier=a b is no label: "),
        (HEAD + "spec: {nodeLabels: {kubernetes.io/role: x}}", "kubernetes.io/role is not for a node to"),
        (HEAD + "spec: {nodeTaints: ['a=b']}", "write it as key=value:NoSchedule"),
        (HEAD + "spec: {nodeTaints: ['a=b:Never']}", "supported values"),
        (HEAD + "spec: {logLevel: loud}", "use one of DEBUG, INFO"),
        (HEAD + "metadata: {name: Bad_Name}", "is no cluster name"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config_file(path, Setup.of())
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; check --config"):
        read_config_file(tmp_path / "absent.yaml", Setup.of())


def machine(tmp_path: Path, *made: Setup) -> Machine:
    found = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run", routes=list)
    for config in made:
        path = found.paths(config.cluster.name).config
        path.parent.mkdir(parents=True)
        path.write_text(dump_config(config))
    return found


def resolve(on: Machine, name: str, *, environ: dict[str, str] | None = None, **flags: Any) -> Setup:
    return effective_config(on, name, environ=environ or {}, flags=flags).setup


def test_flags_win_over_environment_over_stored(tmp_path: Path) -> None:
    on = machine(tmp_path, overlay(Setup.of(), {"api_port": 7000, "log_level": "ERROR"}, FLAGS))
    environ = {"WHERRY_API_PORT": "7001", "WHERRY_KUBELET_PORT": "7002"}
    config = resolve(on, "default", environ=environ, api_port=7003)
    found = [config.value(name) for name in ("api_port", "kubelet_port", "log_level")]
    assert found == [7003, 7002, "ERROR"]


def test_a_second_cluster_collides_with_nothing(tmp_path: Path) -> None:
    first = Setup.of()
    second = resolve(machine(tmp_path, first), "dev")
    ports = [{setup.cluster.api_port, setup.node.kubelet_port} for setup in (first, second)]
    assert ports[0].isdisjoint(ports[1])
    assert first.cluster.pod_cidr != second.cluster.pod_cidr
    assert first.cluster.service_cidr != second.cluster.service_cidr
    third = resolve(machine(tmp_path / "more", first, second), "test")
    assert third.cluster.api_port not in (first.cluster.api_port, second.cluster.api_port)


def test_ranges_of_an_existing_cluster_do_not_move(tmp_path: Path) -> None:
    on = machine(tmp_path, Setup.of())
    with pytest.raises(
        ConfigError, match=r"--pod-cidr '10.9.0.0/24': cluster 'default' was made with .* cannot change"
    ):
        resolve(on, "default", pod_cidr="10.9.0.0/24")


def test_versions_are_turned_off_from_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + 'spec: {runtimeConfig: {api/beta: false, apps/v1beta1: "true"}}')
    config = read_config_file(path, Setup.of())
    assert config.cluster.runtime_config == {"api/beta": False, "apps/v1beta1": True}
    path.write_text(dump_config(config))
    assert read_config_file(path, Setup.of()) == config
    on = machine(tmp_path, config)
    environ = {"WHERRY_RUNTIME_CONFIG": "api/all=false,extensions/v1beta1/ingresses"}
    found = resolve(on, "default", environ=environ).cluster.runtime_config
    assert found == {"api/all": False, "extensions/v1beta1/ingresses": True}
    assert resolve(on, "default", runtime_config="").cluster.runtime_config == {}
    with pytest.raises(ConfigError, match="has an empty key"):
        resolve(on, "default", runtime_config=",")
