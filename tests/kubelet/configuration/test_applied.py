"""What files, drop-ins and flags come to, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kubelet.rig import MACHINE
from wherry.kubelet.config import EVICTION_HARD, KubeletConfig
from wherry.kubelet.configuration.applied import applied, ignored
from wherry.kubelet.configuration.decoding import ConfigurationError, merge, read_configuration
from wherry.kubelet.configuration.fields import BY_PATH
from wherry.kubelet.configuration.validation import configuration_errors
from wherry.kubelet.node import allocatable

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
PLAIN = KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=Path("/r"), log_dir=Path("/l"))


def read(tmp_path: Path, text: str, **drop_ins: str) -> dict[str, Any]:
    file, folder = tmp_path / "kubelet.yaml", tmp_path / "kubelet.conf.d"
    file.write_text(HEAD + text)
    folder.mkdir(exist_ok=True)
    for name, content in drop_ins.items():
        (folder / f"{name}.conf").write_text(HEAD + content)
    return read_configuration(file, folder)


def test_drop_ins_change_what_the_file_says_in_order(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "maxPods: 10\nevictionHard: {memory.available: 1Gi, nodefs.available: 5%}\nclusterDNS: [10.0.0.1]\n",
        b20="maxPods: 30\nevictionHard: {memory.available: 2Gi, nodefs.available: null}\n",
        a10="maxPods: 20\nclusterDNS: [10.0.0.2, 10.0.0.3]\n",
    )
    assert found == {
        "maxPods": 30,
        "clusterDNS": ["10.0.0.2", "10.0.0.3"],
        "evictionHard": {"memory.available": "2Gi"},
    }
    (tmp_path / "kubelet.conf.d" / "note.txt").write_text("no drop-in")
    deeper = tmp_path / "kubelet.conf.d" / "z"
    deeper.mkdir()
    (deeper / "1.conf").write_text(f"{HEAD}maxPods: 40\n")
    assert read_configuration(tmp_path / "kubelet.yaml", tmp_path / "kubelet.conf.d")["maxPods"] == 40
    assert read_configuration(None, tmp_path / "kubelet.conf.d")["maxPods"] == 40


def test_a_merge_patch_is_rfc_7386s() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    patch = {"a": {"b": None, "e": {"f": None, "g": 3}}, "d": [4], "h": {"i": 5}}
    assert merge(base, patch) == {"a": {"c": 2, "e": {"g": 3}}, "d": [4], "h": {"i": 5}}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1, 2]}


UNREADABLE = [
    ("maxPodz: 3\n", 'strict decoding error: unknown field "maxPodz"'),
    (
        "memorySwap: {swapBehaviour: x}\nfoo: 1\n",
        'strict decoding error: unknown field "memorySwap.swapBehaviour", unknown field "foo"',
    ),
    (
        "maxPods: many\n",
        "json: cannot unmarshal string into Go struct field KubeletConfiguration.maxPods of type int32",
    ),
    (
        "maxPods: 4294967296\n",
        (
            "json: cannot unmarshal number 4294967296 into Go struct field "
            "KubeletConfiguration.maxPods of type int32"
        ),
    ),
    (
        "authentication: {anonymous: {enabled: 1}}\n",
        (
            "json: cannot unmarshal number into Go struct field "
            "KubeletAnonymousAuthentication.authentication.anonymous.enabled of type bool"
        ),
    ),
    ("imageMinimumGCAge: long\n", 'time: invalid duration "long"'),
    ("imageMinimumGCAge: 5\n", "json: cannot unmarshal number into Go value of type string"),
    (
        "clusterDNS: 10.0.0.1\n",
        "json: cannot unmarshal string into Go struct field KubeletConfiguration.clusterDNS of type []string",
    ),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_what_cannot_be_decoded(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text)
    assert str(raised.value) == f"{tmp_path}/kubelet.yaml: {message}"
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, "", z=text)
    where = f"{tmp_path}/kubelet.conf.d/z.conf"
    assert str(raised.value) == f"failed to load kubelet dropin file, path: {where}: {message}"


PRE = "invalid configuration: "
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"nodeLeaseDurationSeconds": -1}, f"{PRE}nodeLeaseDurationSeconds must be greater than 0"),
    ({"maxPods": -1}, f"{PRE}maxPods (--max-pods) -1 must not be a negative number"),
    ({"port": 70000}, f"{PRE}port (--port) 70000 must be between 1 and 65535, inclusive"),
    ({"healthzPort": -1}, f"{PRE}healthzPort (--healthz-port) -1 must be between 1 and 65535, inclusive"),
    (
        {"oomScoreAdj": 1001},
        f"{PRE}oomScoreAdj (--oom-score-adj) 1001 must be between -1000 and 1000, inclusive",
    ),
    (
        {"imageGCHighThresholdPercent": 101},
        (
            f"{PRE}imageGCHighThresholdPercent (--image-gc-high-threshold) 101 must be "
            "between 0 and 100, inclusive"
        ),
    ),
    (
        {"imageGCLowThresholdPercent": 90},
        (
            f"{PRE}imageGCLowThresholdPercent (--image-gc-low-threshold) 90 must be less than "
            "imageGCHighThresholdPercent (--image-gc-high-threshold) 85"
        ),
    ),
    (
        {"imageMaximumGCAge": "1m"},
        f"{PRE}imageMaximumGCAge 1m must be greater than imageMinimumGCAge 2m",
    ),
    (
        {"nodeStatusMaxImages": -2},
        f"{PRE}nodeStatusMaxImages (--node-status-max-images) -2 must be -1 or greater",
    ),
    ({"maxParallelImagePulls": 0}, f"{PRE}maxParallelImagePulls 0 must be a positive number"),
    (
        {"serializeImagePulls": True, "maxParallelImagePulls": 2},
        (
            f"{PRE}maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls "
            "(--serialize-image-pulls) is set to false"
        ),
    ),
    (
        {"cpuCFSQuotaPeriod": "2s"},
        f"{PRE}cpuCFSQuotaPeriod (--cpu-cfs-quota-period) 2s must be between 1ms and 1sec, inclusive",
    ),
    (
        {"systemCgroups": "/x"},
        (
            f"{PRE}systemCgroups (--system-cgroups) was specified and cgroupRoot "
            "(--cgroup-root) was not specified"
        ),
    ),
    (
        {"crashLoopBackOff.maxContainerRestartPeriod": "6m"},
        f"{PRE}CrashLoopBackOff.MaxContainerRestartPeriod (got: 360 seconds) must be set between 1s and 300s",
    ),
    (
        {"topologyManagerPolicy": "best"},
        (
            f'{PRE}topologyManagerPolicy (--topology-manager-policy) "best" must be one of: '
            '["none" "best-effort" "restricted" "single-numa-node"]'
        ),
    ),
    (
        {"enforceNodeAllocatable": ["all"]},
        (
            f'{PRE}option "all" specified for enforceNodeAllocatable (--enforce-node-allocatable). '
            'Valid options are "pods", "system-reserved", "system-reserved-compressible", "kube-reserved", '
            '"kube-reserved-compressible" or "none"'
        ),
    ),
    ({"containerLogMaxFiles": 1}, f"{PRE}containerLogMaxFiles must be greater than 1"),
    (
        {"containerLogMonitorInterval": "2s"},
        f"{PRE}containerLogMonitorInterval must be a positive time duration greater than or equal to 3s",
    ),
    ({"podLogsDir": "logs"}, f'{PRE}pod logs path "logs" must be absolute path'),
    ({"podLogsDir": "/var//log"}, f'{PRE}pod logs path "/var//log" must be normalized'),
    (
        {"shutdownGracePeriod": "5s", "shutdownGracePeriodCriticalPods": "10s"},
        f"{PRE}shutdownGracePeriodCriticalPods 10s must be <= shutdownGracePeriod 5s",
    ),
    (
        {"shutdownGracePeriod": "500ms"},
        f"{PRE}shutdownGracePeriod 500ms must be either zero or otherwise >= 1 sec",
    ),
    (
        {"memorySwap.swapBehavior": "All"},
        f'{PRE}memorySwap.swapBehavior "All" must be one of: "", "LimitedSwap" or "NoSwap"',
    ),
]


@pytest.mark.parametrize(("said", "message"), INVALID)
def test_what_is_wrong_is_said_in_upstreams_words(said: dict[str, Any], message: str) -> None:
    assert message in configuration_errors(said)
    with pytest.raises(ConfigurationError, match="invalid configuration: "):
        applied(said, PLAIN)


def test_the_defaults_are_valid() -> None:
    defaults = {path: field.default for path, field in BY_PATH.items() if field.default is not None}
    assert configuration_errors(defaults) == []
    assert configuration_errors({}) == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"cgroupDriver": "systemd"},
        (
            "cgroupDriver: 'systemd' is not followed here, it is always 'cgroupfs': cgroups are made without "
            "systemd; leave it out"
        ),
    ),
    (
        {"qosReserved": {"memory": "50%"}},
        "qosReserved is not followed here: the feature QOSReserved is off by default; leave",
    ),
    ({"registerWithTaints": [{"key": "a", "effect": "Never"}]}, "invalid taint: "),
    (
        {"registerWithTaints": [{"key": "a", "effect": "NoExecute", "timeAdded": "x"}]},
        "invalid configuration: taint.TimeAdded is not nil",
    ),
    (
        {"evictionHard": {"disk": "1"}},
        "evictionHard: unknown eviction signal disk; there are memory.available",
    ),
    (
        {"evictionHard": {"memory.available": "101%"}},
        "evictionHard.memory.available: 101% is no share of all",
    ),
    (
        {"evictionSoft": {"memory.available": "1Gi"}},
        "grace period must be specified for the soft eviction threshold memory.available",
    ),
    (
        {
            "evictionSoft": {"memory.available": "1Gi"},
            "evictionSoftGracePeriod": {"memory.available": "-1s"},
        },
        "invalid eviction grace period specified: memory.available, must be a positive value",
    ),
    ({"evictionMinimumReclaim": {"memory": "1"}}, "evictionMinimumReclaim: unknown eviction signal memory"),
    ({"kubeReserved": {"memory": "-1"}}, "resource quantity for 'memory' cannot be negative: -1"),
]


@pytest.mark.parametrize(("said", "message"), REFUSED)
def test_what_cannot_be_followed(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        applied(said, PLAIN)
    assert str(raised.value).startswith(message)


def test_what_is_said_is_what_the_agent_is_told() -> None:
    config = applied(
        {
            "maxPods": 60,
            "podsPerCore": 10,
            "nodeStatusUpdateFrequency": "20s",
            "nodeLeaseDurationSeconds": 20,
            "serializeImagePulls": False,
            "crashLoopBackOff.maxContainerRestartPeriod": "30s",
            "registerWithTaints": [{"key": "a", "effect": "NoSchedule"}],
            "systemReserved": {"cpu": "500m", "ephemeral-storage": "10Gi"},
            "kubeReserved": {"cpu": "500m", "memory": "1Gi"},
            "evictionHard": {"memory.available": "10%"},
            "imageMaximumGCAge": "24h",
            "podPidsLimit": -7,
        },
        PLAIN,
    )
    assert (config.status_check_s, config.status_period_s) == (20.0, 20.0)
    assert (config.lease_duration_s, config.parallel_pulls, config.restart_longest_s) == (20, 0, 30.0)
    assert (config.image_greatest_age_s, config.pod_pids_limit) == (86400.0, -1)
    left = allocatable(config, MACHINE)
    assert (left["cpu"], left["pods"]) == ("1", "20")
    assert left["memory"] == f"{int(4 * 1024 * 1024 * 0.9) - 1024 * 1024}Ki"
    assert left["ephemeral-storage"] == str(90 * 1024**3)


def test_thresholds_replace_the_defaults_unless_merged() -> None:
    said = {"evictionHard": {"memory.available": "1Gi"}}
    assert applied(said, PLAIN).eviction_hard == {"memory.available": "1Gi"}
    merged = applied({**said, "mergeDefaultEvictionSettings": True}, PLAIN).eviction_hard
    assert merged == {**EVICTION_HARD, "memory.available": "1Gi"}


@pytest.mark.parametrize(
    ("said", "pulls"),
    [
        ({}, 3),
        ({"serializeImagePulls": True}, 1),
        ({"serializeImagePulls": False}, 0),
        ({"maxParallelImagePulls": 5}, 5),
        ({"serializeImagePulls": False, "maxParallelImagePulls": 7}, 7),
    ],
)
def test_how_many_images_are_got_at_once(said: dict[str, Any], pulls: int) -> None:
    assert applied(said, PLAIN).parallel_pulls == pulls


def test_one_gate_switches_something_others_are_told_to_change_nothing() -> None:
    gates = {"featureGates": {"GitRepoVolumeDriver": True, "ImageVolume": False}}
    assert not PLAIN.git_repo_volumes
    assert applied(gates, PLAIN).git_repo_volumes
    why = "features are as upstream has them by default"
    assert ignored(gates) == [f"featureGates.ImageVolume changes nothing here: {why}"]
