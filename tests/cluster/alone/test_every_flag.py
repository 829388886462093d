"""Every flag of each component alone acts, or takes one value alone, or is said to change nothing."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import wherry
from wherry.cluster.alone import apiserver, apiserver_flags, controllers, dns, kubelet, proxy, scheduler
from wherry.cluster.alone.election_flags import election_config
from wherry.cluster.alone.flags import (
    DURATION,
    NAMES,
    NUMBER,
    PORTS,
    REAL,
    SWITCH,
    Flag,
    FlagError,
    Values,
    idle,
    parse,
)
from wherry.cluster.catalog import COMPONENTS
from wherry.testing.envtest import etcd
from wherry.testing.envtest.flags import FLAGS as STAND_IN

KEY = "--service-account-signing-key-file=/k"
UPSTREAMS = [one for one in COMPONENTS if one.upstream.startswith("kube")]
ALONE = {
    one.name: importlib.import_module(one.module).FLAGS
    for one in COMPONENTS
    if one.upstream.startswith("kube")
}
PROGRAMS: dict[str, tuple[Flag, ...]] = {
    **ALONE,
    "dns": dns.FLAGS,
    "kube-apiserver of envtest": STAND_IN,
    "etcd of envtest": etcd.FLAGS,
}
GUARDS = re.compile(
    r"^(?!concurrent-)(.*-)?(tls|auth\w*|anonymous|tokens?|cert\w*|ca|cafile|keyfile|client|header|requestheader|audiences|audit|"
    r"encryption|admission|security|privileged|kubeconfig|secure|insecure|rotate|protect|nodeport|read-only)(-|$)"
)
"""Words of flags that keep somebody out: whoever gives one must not believe it is followed when it is not."""


OWN = {
    "apiserver": {"data-dir"},
    "kubelet": {
        *("master", "pod-logs-dir", "pods-cgroup"),
        *("enable-profiling-handler", "enable-system-log-handler", "enable-system-log-query"),
    },
    "proxy": {
        *("cleanup-ipvs", "cluster-name", "nftables-masquerade-all", "service-cluster-ip-range"),
        "show-hidden-metrics",
    },
}
"""Flags beside upstream's of today: our own, what only configuration files say there, and former ones."""


def upstream_flags() -> dict[str, list[str]]:
    """The names in `upstream_flags.txt`, by the component that takes them."""
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "upstream_flags.txt").read_text().splitlines():
        if line.startswith("["):
            names = found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            names.append(line)
    return found


@pytest.mark.parametrize("program", ALONE)
def test_no_flag_of_upstreams_is_unknown(program: str) -> None:
    names = upstream_flags()[program]
    assert len(names) > 50
    assert set(names) - {flag.name for flag in ALONE[program]} == set()


@pytest.mark.parametrize("program", ALONE)
def test_no_flag_is_made_up(program: str) -> None:
    """One with a name that is nearly upstream's would be taken from nobody's script."""
    assert {flag.name for flag in ALONE[program]} - set(upstream_flags()[program]) == OWN.get(program, set())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_flag_is_declared_once(program: str) -> None:
    """Of two with one name the first would never be heard."""
    names = [flag.name for flag in PROGRAMS[program]]
    assert [name for name in names if names.count(name) > 1] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_flag_is_one_of_four_things(program: str) -> None:
    for flag in PROGRAMS[program]:
        check_kind(program, flag)


def check_kind(program: str, flag: Flag) -> None:
    said = [bool(flag.refused), flag.is_idle, bool(flag.only)]
    assert sum(said) <= 1
    if flag.refused:
        with pytest.raises(FlagError, match=re.escape(f"--{flag.name}: {flag.refused}")):
            parse(program, [flag], [f"--{flag.name}=x"])
    elif flag.is_idle:
        values = parse(program, [flag], [f"--{flag.name}={'1' if flag.kind == NUMBER else 'true'}"])
        if flag.name != "vmodule":
            (line,) = values.warnings
            assert line.startswith(f"--{flag.name} changes nothing here")
        assert flag.why or not GUARDS.search(flag.name), (
            "who keeps somebody out with it must be told why it may"
        )
    elif flag.only:
        other = {SWITCH: "false" if flag.only[0] == "true" else "true", NUMBER: "77", DURATION: "77s"}
        given = other.get(flag.kind, "another")
        with pytest.raises(FlagError, match=f"^--{flag.name}: '{given}' is not followed here: .*; leave"):
            parse(program, [flag], [f"--{flag.name}={given}"])
        assert not parse(program, [flag], [f"--{flag.name}={flag.only[0]}"]).warnings
    else:
        assert flag.help


def sources() -> dict[str, str]:
    root = Path(wherry.__file__).parent
    folders = (root / "cluster" / "alone", root / "testing" / "envtest", root / "cli")
    return {str(file): file.read_text() for folder in folders for file in sorted(folder.glob("*.py"))}


DECLARED = re.compile(r'(?:Flag|only)\(\s*(?:"[^"]+"|[A-Z_]+)')
SOURCES = {name: DECLARED.sub("", text) for name, text in sources().items()}


def is_acting(flag: Flag) -> bool:
    return not (flag.refused or flag.is_idle or flag.only)


def is_read(name: str) -> bool:
    """Whether somebody asks for the flag by its name, beside declaring it."""
    said = re.compile(rf'"(--)?{re.escape(name)}"|"{re.escape(name.removeprefix("requestheader-"))}"')
    return any(said.search(text) for text in SOURCES.values())


@pytest.mark.parametrize("program", PROGRAMS)
def test_somebody_reads_a_flag_that_acts(program: str) -> None:
    """A flag that nobody asks for by its name does nothing, whatever its help says."""
    assert [flag.name for flag in PROGRAMS[program] if is_acting(flag) and not is_read(flag.name)] == []


SAMPLES: dict[str, str] = {
    "authorization-mode": "AlwaysAllow",
    "cgroup-root": "/x",
    "cluster-cidr": "10.9.0.0/16",
    "container-log-max-size": "3Mi",
    "eviction-hard": "memory.available<200Mi",
    "eviction-minimum-reclaim": "memory.available=200Mi",
    "eviction-soft": "memory.available<300Mi",
    "eviction-soft-grace-period": "pid.available=2m",
    "container-runtime-endpoint": "unix:///x",
    "cluster-signing-cert-file": "x",
    "enable-bootstrap-token-auth": "true",
    "enable-system-log-handler": "true",
    "enable-system-log-query": "true",
    "image-gc-high-threshold": "91",
    "kube-reserved": "cpu=300m",
    "leader-elect-renew-deadline": "12s",
    "leader-elect-retry-period": "3s",
    "manifest-url-header": "X:1",
    "node-ip": "192.0.2.9",
    "node-labels": "a=b",
    "pod-max-pids": "9",
    "register-with-taints": "a=b:NoSchedule",
    "requestheader-extra-headers-prefix": "X-Remote-Other-",
    "seccomp-default": "true",
    "requestheader-group-headers": "X-Remote-Other",
    "requestheader-uid-headers": "X-Remote-Other",
    "requestheader-username-headers": "X-Remote-Other",
    "runtime-config": "batch/v1=false",
    "service-account-max-token-expiration": "2h",
    "service-cluster-ip-range": "10.99.0.0/24",
    "system-reserved": "cpu=300m",
    "tls-cipher-suites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "tls-min-version": "VersionTLS13",
}
BY_KIND = {SWITCH: "false", NUMBER: "77", REAL: "0.77", DURATION: "77s", PORTS: "31000-31009", NAMES: "x"}


def to_api_server(values: Values) -> object:
    return apiserver_flags.api_server_config(values)


def to_controllers(values: Values) -> object:
    return (
        controllers.controller_config(values, "PEM"),
        controllers.controller_kinds(values),
        election(values),
    )


def to_kubelet(values: Values) -> object:
    values, said = kubelet.settled(values)
    config = kubelet.kubelet_config(values, said)
    return config, kubelet.server_config(values, config), kubelet.socket_of(values)


def to_proxy(values: Values) -> object:
    return proxy.node_network(values, values.text("service-cluster-ip-range")), proxy.node_name(values)


def election(values: Values) -> object:
    config = election_config(values)
    return config.name, config.namespace, config.duration_s, config.renew_deadline_s, config.retry_s


CASES: dict[ModuleType, tuple[Callable[[Values], object], tuple[str, ...]]] = {
    apiserver: (
        to_api_server,
        (KEY, *(f"--{name}=/x" for pair in apiserver_flags.PAIRS for name in pair)),
    ),
    controllers: (to_controllers, ("--allocate-node-cidrs", "--cluster-cidr=10.1.0.0/16")),
    scheduler: (election, ()),
    kubelet: (
        to_kubelet,
        (
            "--eviction-soft=pid.available<200",
            "--eviction-soft-grace-period=pid.available=1m,memory.available=1m",
            "--node-ip=192.0.2.1",
            "--client-ca-file=/c",
            "--tls-cert-file=/x",
            "--tls-private-key-file=/x",
        ),
    ),
    proxy: (to_proxy, ("--cluster-cidr=10.1.0.0/16",)),
}
"""What each component makes of its flags before it runs."""
ELSEWHERE = {
    apiserver: {"cert-dir", "data-dir"},
    controllers: {
        *("root-ca-file", "service-account-private-key-file", "cluster-signing-cert-file"),
        *(
            "cluster-signing-key-file",
            "controllers",
            "allocate-node-cidrs",
            "use-service-account-credentials",
        ),
    },
    kubelet: {
        "cgroup-driver",
        "cert-dir",
        "healthz-bind-address",
        "healthz-port",
        "config",
        "config-dir",
        "image-credential-provider-config",
        "image-credential-provider-bin-dir",
    },
    proxy: {"proxy-mode", "cleanup", "healthz-bind-address", "config"},
    scheduler: {"config"},
}
"""Flags whose effect is seen in tests of their own: files that are read, what runs, where it serves."""
SHARED = {"kubeconfig", "master", "v", "version", "leader-elect", "leader-elect-resource-lock"}
SERVED = {
    "secure-port",
    "bind-address",
    "tls-cert-file",
    "tls-private-key-file",
    "tls-min-version",
    "tls-cipher-suites",
}


@pytest.mark.parametrize("module", CASES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_flag_that_acts_changes_what_the_component_is_told(module: ModuleType, tmp_path: Path) -> None:
    tell, always = CASES[module]
    tokens = tmp_path / "tokens"
    tokens.write_text("t,u,1\n")
    samples = {**SAMPLES, "token-auth-file": str(tokens)}
    skipped = ELSEWHERE[module] | SHARED | (SERVED if module in (controllers, scheduler) else set())
    before = tell(parse("p", module.FLAGS, always))
    unmoved = []
    for flag in module.FLAGS:
        if not is_acting(flag) or flag.name in skipped:
            continue
        sample = samples.get(flag.name, BY_KIND.get(flag.kind, "/y"))
        rest = [one for one in always if not one.startswith(f"--{flag.name}=")]
        if tell(parse("p", module.FLAGS, [*rest, f"--{flag.name}={sample}"])) == before:
            unmoved.append(flag.name)
    assert unmoved == []


def test_the_walk_finds_a_flag_nobody_reads() -> None:
    assert is_read("api-audiences")
    assert not is_read("api-audience")
    (made,) = idle("tls-x")
    with pytest.raises(AssertionError, match="who keeps somebody out"):
        check_kind("p", made)
