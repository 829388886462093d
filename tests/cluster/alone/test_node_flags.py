"""What the flags of kubelet and kube-proxy say, and what cannot be followed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.apiserver import rig
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.cluster.alone import kubelet, proxy
from wherry.cluster.alone.config_files import with_file
from wherry.cluster.alone.flags import FlagError, Values, parse
from wherry.kit.clock import FakeClock
from wherry.kubelet.config import KubeletConfig


def to_kubelet(*arguments: str) -> Values:
    return parse("kubelet", kubelet.FLAGS, ("--node-ip=192.0.2.1", *arguments))


def told(*arguments: str) -> KubeletConfig:
    """What the kubelet is told by flags, and by the files they name."""
    return kubelet.kubelet_config(*kubelet.settled(to_kubelet(*arguments)))


def to_proxy(*arguments: str) -> Values:
    return parse("kube-proxy", proxy.FLAGS, arguments)


def test_what_a_kubelet_is_told() -> None:
    config = told(
        "--hostname-override=n1",
        "--node-labels=zone=a,tier=",
        "--register-with-taints=gpu=yes:NoSchedule,old:NoExecute",
        "--kube-reserved=cpu=100m,memory=1Gi",
        "--system-reserved=cpu=0.2",
        "--cgroup-root=/own/",
        "--container-log-max-size=1Mi",
        "--minimum-image-ttl-duration=1m",
    )
    assert (config.node_name, config.node_ip) == ("n1", "192.0.2.1")
    assert config.register_labels == {"zone": "a", "tier": ""}
    assert config.register_taints == [
        {"key": "gpu", "effect": "NoSchedule", "value": "yes"},
        {"key": "old", "effect": "NoExecute"},
    ]
    assert (config.reserved_cpu_millis, config.reserved_memory_bytes) == (300, 1 << 30)
    assert config.cgroup_root == "/own/kubepods"
    assert (config.log_max_bytes, config.image_least_age_s) == (1 << 20, 60)
    assert told("--pods-cgroup=/pods").cgroup_root == "/pods"
    assert kubelet.socket_of(to_kubelet()) == Path("/run/containerd/containerd.sock")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--node-labels=kubernetes.io/role=x", "--node-labels: kubernetes.io/role is not for a node to give"),
        ("--register-with-taints=a:Never", "--register-with-taints: 'a:Never' is no taint"),
        ("--kube-reserved=disk=1", "kubeReserved: 'disk' cannot be reserved here; use cpu, memory, eph"),
        ("--system-reserved=cpu=much", "systemReserved.cpu: "),
        ("--eviction-hard=memory", "--eviction-hard: 'memory' is not key<value"),
        ("--cgroup-driver=systemd", "'systemd' is not known here; use cgroupfs"),
    ],
)
def test_what_a_kubelet_cannot_follow(argument: str, message: str) -> None:
    with pytest.raises(FlagError, match=message):
        told(argument)


@pytest.mark.parametrize(
    ("text", "ips"),
    [
        ("192.0.2.7", ("192.0.2.7", "")),
        ("192.0.2.7,2001:db8::7", ("192.0.2.7", "2001:db8::7")),
        ("2001:db8::7,192.0.2.7", ("2001:db8::7", "192.0.2.7")),
    ],
)
def test_the_addresses_a_node_is_given(text: str, ips: tuple[str, str]) -> None:
    config = told(f"--node-ip={text}")
    assert (config.node_ip, config.second_ip) == ips


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("here", 'bad --node-ip "here": could not parse "here"'),
        ("192.0.2.7,", 'bad --node-ip "192.0.2.7,": could not parse ""'),
        (
            "192.0.2.7,192.0.2.8",
            (
                'bad --node-ip "192.0.2.7,192.0.2.8": must contain either a single IP or a dual-stack pair '
                "of IPs"
            ),
        ),
        (
            "0.0.0.0,2001:db8::7",
            "bad --node-ip \"0.0.0.0,2001:db8::7\": dual-stack node IP cannot include '0.0.0.0' or '::'",
        ),
    ],
)
def test_addresses_no_node_can_have(text: str, message: str) -> None:
    with pytest.raises(FlagError) as raised:
        told(f"--node-ip={text}")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("flag", "moves"),
    [("", ["198.51.100.7"]), ("--node-ip=0.0.0.0", ["198.51.100.7"]), ("--node-ip=192.0.2.7", [])],
)
async def test_a_kubelet_follows_the_machine_unless_told(
    monkeypatch: pytest.MonkeyPatch, flag: str, moves: list[str]
) -> None:
    """The kernel tells that addresses changed; here the first look finds it."""
    address = ["192.0.2.7"]
    monkeypatch.setattr(kubelet, "uplink_address", lambda: address[0])
    values = parse("kubelet", kubelet.FLAGS, [flag] if flag else [])
    config = kubelet.kubelet_config(*kubelet.settled(values))
    moved: list[str] = []
    agent = SimpleNamespace(move_to=moved.append)
    clock = FakeClock()
    keeper = kubelet.address_keeper(values, config, agent, clock)  # type: ignore[arg-type]
    keeper.start()
    try:
        address[0] = "198.51.100.7"
        await clock.advance(1)
        address[0] = ""  # no network for a while: what it goes by is kept
        await clock.advance(60)
    finally:
        await keeper.close()
    assert moved == moves


KUBELET_FILE = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: /ca.crt}}
clusterDNS: [10.96.0.10, 10.96.0.11]
kubeReserved: {cpu: 100m, memory: 1Gi}
imageMinimumGCAge: 1m
maxPods: 50
syncFrequency: 1s
evictionPressureTransitionPeriod:
"""


def test_a_file_says_what_flags_say_and_flags_win(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "kubelet.yaml"
    file.write_text(KUBELET_FILE)
    values, said = kubelet.settled(to_kubelet(f"--config={file}", "--max-pods=60"))
    config = kubelet.kubelet_config(values, said)
    assert config.cluster_dns == ("10.96.0.10", "10.96.0.11")
    assert (config.reserved_cpu_millis, config.image_least_age_s, config.max_pods) == (100, 60, 60)
    assert values.text("client-ca-file") == "/ca.crt"
    assert "syncFrequency changes nothing here" in caplog.text
    other = tmp_path / "proxy.yaml"
    other.write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        "clientConnection: {kubeconfig: /k, qps: 5}\nclusterCIDR: 10.1.0.0/16\nmode: ''\n"
    )
    found = with_file(to_proxy(f"--config={other}"), proxy.FILE)
    assert (found.text("kubeconfig"), found.text("proxy-mode")) == ("/k", "auto")
    assert proxy.node_network(found, "10.96.0.0/16").cluster_cidr == "10.1.0.0/16"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: Other\n",
            "must be of apiVersion kubelet.config.k8s.io/v1beta1 and kind Kubelet",
        ),
        (
            f"{KUBELET_FILE}cgroupDriver: systemd\n",
            "cgroupDriver: 'systemd' is not followed here, it is al",
        ),
        (f"{KUBELET_FILE}evictionSoft: {{a: b}}\n", "evictionSoft: unknown eviction signal a; there are "),
        (f"{KUBELET_FILE}maxPods: 3\n", "strict decoding error"),
        (
            f"{KUBELET_FILE}port: many\n",
            "json: cannot unmarshal string into Go struct field KubeletConfiguration.port of type int32",
        ),
        ("[", "--config: "),
    ],
)
def test_files_that_cannot_be_followed(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "kubelet.yaml"
    file.write_text(text)
    with pytest.raises(FlagError, match=message):
        told(f"--config={file}")


KUBEADM_FILE = """\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication: {anonymous: {enabled: false}, webhook: {cacheTTL: 0s, enabled: true}}
authorization: {mode: Webhook, webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}}
cgroupDriver: cgroupfs
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionPressureTransitionPeriod: 0s
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
httpCheckFrequency: 0s
imageMaximumGCAge: 0s
imageMinimumGCAge: 0s
kind: KubeletConfiguration
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}}, verbosity: 0}
memorySwap: {}
nodeStatusReportFrequency: 0s
nodeStatusUpdateFrequency: 0s
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: MANIFESTS
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
volumeStatsAggPeriod: 0s
"""
"""What kubeadm writes, its cgroup driver apart."""
DEFAULTS = (
    "maxPods: 0\nport: 0\ncgroupsPerQOS: true\ncpuCFSQuotaPeriod: 0.1s\nenforceNodeAllocatable: [pods]\n"
)


def from_file(path: Path, text: str) -> KubeletConfig:
    file = path / "config.yaml"
    file.write_text(text)
    return told(f"--config={file}")


def test_a_file_of_zeros_says_the_defaults(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which say nothing: pkg/kubelet/apis/config/v1beta1, SetDefaults_KubeletConfiguration."""
    manifests = tmp_path / "manifests"
    text = (KUBEADM_FILE + DEFAULTS).replace("MANIFESTS", str(manifests))
    plain = told("--cluster-dns=10.96.0.10", f"--pod-manifest-path={manifests}")
    assert from_file(tmp_path, text) == plain
    assert "0s" not in caplog.text
    assert (plain.static_pod_path, plain.file_check_s) == (manifests, 20.0)


def test_where_static_pods_come_from() -> None:
    """With them and without anything that names an API server, there is none."""
    flags = ("--manifest-url=http://a/pods", "--manifest-url-header=X:1,Y:2,X:3", "--http-check-frequency=5s")
    config = told(*flags)
    assert (config.static_pod_url, config.http_check_s) == ("http://a/pods", 5.0)
    assert config.static_pod_url_header == {"X": ["1", "3"], "Y": ["2"]}
    assert config.is_standalone
    assert not told(*flags, "--kubeconfig=/k").is_standalone
    assert not told().is_standalone
    with pytest.raises(FlagError, match=r"^--manifest-url-header: value 2 of 2 is not Name:value$"):
        told("--manifest-url-header=X:1,Y")
    with pytest.raises(FlagError, match=r"^fileCheckFrequency must be more than 0, is 0s$"):
        told("--file-check-frequency=0s")


def test_an_empty_resolver_is_none(tmp_path: Path) -> None:
    head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    assert told().resolv_conf == Path("/etc/resolv.conf")
    assert told("--resolv-conf=").resolv_conf is None
    assert from_file(tmp_path, f"{head}resolvConf: ''\n").resolv_conf is None
    assert from_file(tmp_path, f"{head}resolvConf:\n").resolv_conf == Path("/etc/resolv.conf")
    assert from_file(tmp_path, f"{head}clusterDomain: ''\n").cluster_domain == "cluster.local"


def test_the_fields_of_a_file_are_flags_there_are() -> None:
    flags = {flag.name for flag in proxy.FLAGS if not flag.refused}
    assert set(proxy.FILE.fields.values()) <= flags


def test_a_kubelet_serves_with_a_certificate_it_makes(tmp_path: Path) -> None:
    values, said = kubelet.settled(
        to_kubelet(f"--cert-dir={tmp_path}", "--client-ca-file=ca.crt", "--port=1")
    )
    served = kubelet.server_config(values, kubelet.kubelet_config(values, said))
    assert served is not None
    assert served.cert_file.exists()
    assert (served.port, served.client_ca_file) == (1, Path("ca.crt"))
    assert kubelet.server_config(to_kubelet(), told()) is None
    with pytest.raises(FlagError, match="must be unix:// and an absolute path, is 'tcp://x'"):
        kubelet.socket_of(to_kubelet("--container-runtime-endpoint=tcp://x"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--cluster-cidr is missing"),
        (["--cluster-cidr=x"], "--cluster-cidr: 'x' is not an IPv4 range"),
        (["--proxy-mode=ipvs"], "--proxy-mode: 'ipvs' is not known"),
    ],
)
def test_what_a_proxy_cannot_follow(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError, match=message):
        proxy.node_network(to_proxy(*arguments), "10.96.0.0/16")


async def test_the_range_of_services_is_asked_for() -> None:
    async with rig.running() as made:
        spec = {"cidrs": ["fd00::/108", "10.7.0.0/16"]}
        await made.admin.create(SERVICE_CIDRS, {"metadata": {"name": "another"}, "spec": spec})
        assert await proxy.service_range(to_proxy(), made.admin) == "10.96.0.0/16"
        told = to_proxy("--service-cluster-ip-range=10.1.0.0/16,fd00::/108")
        assert await proxy.service_range(told, made.admin) == "10.1.0.0/16"
