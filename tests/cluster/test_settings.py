"""The table of settings: whole, spelled as its user spells it, and what a change of each one needs."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import wherry
from wherry.cluster.catalog import SUPERVISED
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.clusters import Asked, Machine, asked_name, effective_config
from wherry.cluster.components import tell_settings
from wherry.cluster.config import ConfigError, Setup, dump_config, load_config_file, spec_of, told_of
from wherry.cluster.lifecycle import Lifecycle, open_lifecycle
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.preflight import find_problems_of_change
from wherry.cluster.settings import SETTINGS, environment_variable, parse, unknown_variables
from wherry.cluster.values import taint_of
from wherry.kit.pid_files import claim, sign
from wherry.kit.processes import ProcessRecord

HEAD = "apiVersion: wherry.dev/v1alpha1\nkind: Cluster\n"
OTHER: dict[str, Any] = {
    "runtime": "simulated",
    "simulated_nodes": 7,
    "simulation": ("/nodes.yaml",),
    "api_host": "0.0.0.0",
    "api_port": 7000,
    "kubelet_port": 7001,
    "pod_cidr": "10.9.0.0/24",
    "service_cidr": "10.8.0.0/16",
    "node_ports": (31000, 31999),
    "node_name": "other",
    "node_labels": {"tier": "gold"},
    "node_taints": ("only=tests:NoSchedule",),
    "cluster_domain": "example.org",
    "proxy_mode": "another",
    "cluster_dns": "off",
    "runtime_config": {"api/beta": False},
    "enable_admission_plugins": ("AlwaysPullImages",),
    "disable_admission_plugins": ("PodSecurity",),
    "allowed_unsafe_sysctls": ("net.core.somaxconn",),
    "log_level": "DEBUG",
    "kubelet_config": "/etc/kubelet.yaml",
    "kubelet_config_dir": "/etc/kubelet.conf.d",
    "registries": "/etc/registries.yaml",
    "credential_provider_config": "/etc/providers.yaml",
    "credential_provider_dir": "/srv/providers",
    "images": "/srv/images",
    "watchdog_seconds": 60,
}
"""Another value than the default for each setting."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(data_root=tmp_path / "data", run_root=tmp_path / "run", routes=list)


def make(machine: Machine, setup: Setup) -> Lifecycle:
    path = machine.paths(setup.cluster.name).config
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump_config(setup))
    return open_lifecycle(machine, setup)


def test_every_setting_has_its_row() -> None:
    of_cluster = [name for name, setting in SETTINGS.items() if not setting.of_node]
    assert [one.name for one in fields(ClusterConfig)] == ["name", *of_cluster]
    of_node = {setting.of_node for setting in SETTINGS.values() if setting.of_node}
    told = {"cluster", "server", "server_address", "is_for_this_machine", "cluster_cidr"}
    told |= {"service_cidr", "cluster_domain", "dns_address", "log_level"}
    assert {one.name for one in fields(NodeConfig)} == of_node | told
    assert set(OTHER) == set(SETTINGS)


@pytest.mark.parametrize("attribute", SETTINGS)
def test_who_goes_by_a_setting_is_started_again_when_it_changes(machine: Machine, attribute: str) -> None:
    before = Setup.of(node_name="n")
    paths = make(machine, before).paths
    paths.run.mkdir(parents=True)
    own = ProcessRecord.of(os.getpid())
    assert own is not None
    locks = []
    for component in SUPERVISED:
        lock = claim(paths.component_pid(component))
        assert lock is not None
        sign(lock, own)
        locks.append(lock)
        tell_settings(component, paths, told_of(before))
    try:
        assert open_lifecycle(machine, before).outdated() == {}
        after = open_lifecycle(machine, before.having({attribute: OTHER[attribute]}))
        restarted = [component for component in SUPERVISED if component in SETTINGS[attribute].read_by]
        assert after.outdated() == {component: [attribute] for component in restarted}
    finally:
        for lock in locks:
            os.close(lock)


def test_a_file_that_says_something_else_now_is_another_setting(tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    setup = Setup.of(simulation=[str(file)])
    told = [told_of(setup)["simulation"]]
    for text in ("count: 3", "count: 4"):
        file.write_text(text)
        told.append(told_of(setup)["simulation"])
    assert len({tuple(one) for one in told}) == 3
    assert told_of(setup)["simulation"] == told[-1]
    assert spec_of(setup)["simulation"] == [str(file)]


def test_what_another_process_said_counts_for_nothing(machine: Machine) -> None:
    lifecycle = make(machine, Setup.of(node_name="n"))
    lifecycle.paths.run.mkdir(parents=True)
    lock = claim(lifecycle.paths.component_pid("server"))
    parent = ProcessRecord.of(os.getppid())
    assert lock is not None
    assert parent is not None
    sign(lock, parent)
    tell_settings("server", lifecycle.paths, told_of(lifecycle.setup))
    assert set(lifecycle.outdated()) == {"server"}
    os.close(lock)


def test_who_is_only_starting_goes_by_what_was_written(machine: Machine) -> None:
    lifecycle = make(machine, Setup.of(node_name="n"))
    lifecycle.paths.run.mkdir(parents=True)
    lock, own = claim(lifecycle.paths.component_pid("server")), ProcessRecord.of(os.getpid())
    assert lock is not None
    assert own is not None
    sign(lock, own)
    assert lifecycle.outdated(lifecycle.written()) == {}
    other = open_lifecycle(machine, Setup.of(node_name="n", log_level="DEBUG"))
    assert other.outdated(other.written()) == {"server": ["log_level"]}
    os.close(lock)


@pytest.mark.parametrize("attribute", [name for name, setting in SETTINGS.items() if setting.is_fixed])
def test_what_is_fixed_is_refused_in_the_words_of_its_user(machine: Machine, attribute: str) -> None:
    make(machine, Setup.of(node_name="n"))
    variable = environment_variable(attribute)
    with pytest.raises(ConfigError, match=rf"{variable} '{OTHER[attribute]}': cluster 'default' was made"):
        effective_config(machine, None, environ={variable: OTHER[attribute]}, flags={})


def test_a_taken_port_is_seen_before_anything_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    config = Setup.of(api_host="192.0.2.77", api_port=6443)
    (problem,) = find_problems_of_change(config, {"api_host"})
    assert problem.message.startswith("the API server cannot listen on 192.0.2.77: ")
    assert find_problems_of_change(config, {"log_level"}) == []


@pytest.mark.parametrize(
    ("flag", "variable", "in_file", "asked"),
    [
        (None, "", None, Asked("default", "")),
        (None, "", "dev", Asked("dev", "FILE: metadata.name")),
        (None, "ci", None, Asked("ci", "WHERRY_NAME")),
        ("dev", "ci", None, Asked("dev", "--name")),
        ("dev", "", "dev", Asked("dev", "--name")),
        ("default", "", None, Asked("default", "--name")),
    ],
)
def test_which_cluster_is_meant(
    tmp_path: Path, flag: str | None, variable: str, in_file: str | None, asked: Asked
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + (f"metadata: {{name: {in_file}}}" if in_file else ""))
    found = asked_name(flag, {"WHERRY_NAME": variable}, load_config_file(path))
    assert Asked(found.name, found.spelled.replace(str(path), "FILE")) == asked


@pytest.mark.parametrize(
    ("flag", "environ", "said"),
    [("ci", {}, "--name says 'ci'"), (None, {"WHERRY_NAME": "ci"}, "WHERRY_NAME says 'ci'")],
)
def test_a_file_about_another_cluster_is_refused(
    tmp_path: Path, flag: str | None, environ: dict[str, str], said: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + "metadata: {name: dev}")
    with pytest.raises(ConfigError, match=rf"c\.yaml: metadata\.name is 'dev', but {said}"):
        asked_name(flag, environ, load_config_file(path))


def test_a_name_that_is_none_is_told_with_where_it_was_given() -> None:
    with pytest.raises(ConfigError, match=r"^WHERRY_NAME: 'Bad_x' is no cluster name"):
        asked_name(None, {"WHERRY_NAME": "Bad_x"})
    with pytest.raises(ConfigError, match=r"^--name: '' is no cluster name"):
        asked_name("", {})


def test_a_file_that_names_a_cluster_never_means_the_default_one(machine: Machine, tmp_path: Path) -> None:
    make(machine, Setup.of(node_name="n"))
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + "metadata: {name: dev}")
    found = effective_config(machine, None, config_file=path, environ={}, flags={}).setup
    assert found.cluster.name == "dev"
    first = Setup.of()
    for attribute in ("api_port", "kubelet_port", "pod_cidr", "service_cidr"):
        assert found.value(attribute) != first.value(attribute)


def test_a_slot_that_overlaps_a_wide_range_is_passed_over(machine: Machine) -> None:
    make(machine, Setup.of(node_name="n", service_cidr="10.96.0.0/15"))
    found = effective_config(machine, "dev", environ={}, flags={}).setup.cluster
    assert (found.pod_cidr, found.service_cidr) == ("10.242.0.0/16", "10.98.0.0/16")
    assert found.api_port == 6444, "its ports are free"
    make(machine, Setup.of(node_name="n", pod_cidr="10.0.0.0/9", service_cidr="10.128.0.0/9"))
    with pytest.raises(ConfigError, match="give podCIDR, serviceCIDR and ports yourself"):
        effective_config(machine, "dev", environ={}, flags={})


@pytest.mark.parametrize(
    ("flags", "environ", "said"),
    [
        ({"pod_cidr": "10.96.4.0/24"}, {}, "--pod-cidr 10.96.4.0/24 overlaps serviceCIDR 10.96.0.0/16"),
        ({}, {"WHERRY_POD_CIDR": "10.96.4.0/24"}, "WHERRY_POD_CIDR 10.96.4.0/24 overlaps serviceCIDR"),
        ({"api_port": 30005}, {}, "--api-port 30005 lies in nodePorts 30000-32767"),
        ({"api_port": "x"}, {}, "--api-port: 'x' is not a port number"),
        ({}, {"WHERRY_LOG_LEVEL": "loud"}, "WHERRY_LOG_LEVEL: 'loud' is not known"),
        ({"api_port": 7000}, {"WHERRY_KUBELET_PORT": "7000"}, "--api-port and WHERRY_KUBELET_PORT are both"),
    ],
)
def test_complaints_name_a_setting_as_its_user_wrote_it(
    machine: Machine, flags: dict[str, Any], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        effective_config(machine, None, environ=environ, flags=flags)
    assert str(refused.value).startswith(said)


def test_variables_nobody_knows_are_told_with_the_nearest() -> None:
    given = ["WHERRY_POD_CIRD", "WHERRY_NAME", "WHERRY_API_PORT", "WHERRY_LIVE_SLOT", "WHERRY_X", "HOME"]
    assert unknown_variables([*given, "WHERRY_NODES"]) == {
        "WHERRY_POD_CIRD": "WHERRY_POD_CIDR",
        "WHERRY_X": "",
        "WHERRY_NODES": "WHERRY_SIMULATED_NODES",  # as the flag has it
    }


def test_every_variable_the_code_knows_is_known() -> None:
    words = re.compile(r"(?<![A-Z_])WHERRY_[A-Z]+(?:_[A-Z]+)*(?![A-Z_{])")
    files = Path(wherry.__file__).parent.rglob("*.py")
    used = {word for file in files for word in words.findall(file.read_text())}
    assert "WHERRY_NAME" in used
    assert unknown_variables(used) == {}


def test_labels_and_taints_are_written_as_people_write_them() -> None:
    assert parse("node_labels", "tier=gold,example.com/rack=7,bare") == {
        "tier": "gold",
        "example.com/rack": "7",
        "bare": "",
    }
    with pytest.raises(ValueError, match=r"^a b is no label: .*; give KEY=VALUE$"):
        parse("node_labels", "a b")
    assert parse("node_taints", "only=tests:NoSchedule, gone:NoExecute") == (
        "only=tests:NoSchedule",
        "gone:NoExecute",
    )
    assert taint_of("only=tests:NoSchedule") == {"key": "only", "value": "tests", "effect": "NoSchedule"}
    assert taint_of("gone:NoExecute") == {"key": "gone", "effect": "NoExecute"}
