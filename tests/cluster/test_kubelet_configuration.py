"""The settings that name the files of kind KubeletConfiguration of a cluster's node."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster.components import PermanentError
from wherry.cluster.kubelet_files import configured
from wherry.cluster.node_config import NodeConfig
from wherry.kubelet.config import KubeletConfig

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


@pytest.fixture
def plain(tmp_path: Path) -> KubeletConfig:
    return KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=tmp_path, log_dir=tmp_path)


def test_a_node_goes_by_the_files_its_settings_name(tmp_path: Path, plain: KubeletConfig) -> None:
    assert configured(NodeConfig(), plain) == plain
    file, folder = tmp_path / "kubelet.yaml", tmp_path / "conf.d"
    file.write_text(f"{HEAD}maxPods: 20\nsyncFrequency: 3s\n")
    folder.mkdir()
    (folder / "1.conf").write_text(f"{HEAD}maxPods: 30\n")
    config = NodeConfig(kubelet_config=str(file), kubelet_config_dir=str(folder))
    assert configured(config, plain).max_pods == 30


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: 1\n", r"port is for the cluster to say \(kubeletPort\); leave it out$"),
        ("maxPods: -1\n", r"maxPods \(--max-pods\) -1 must not be a negative number$"),
        ("maxPod: 1\n", r'kubelet\.yaml: strict decoding error: unknown field "maxPod"$'),
        (None, r"kubelet\.yaml: No such file or directory$"),
    ],
)
def test_what_cannot_be_followed_ends_the_agent(
    tmp_path: Path, plain: KubeletConfig, text: str | None, message: str
) -> None:
    file = tmp_path / "kubelet.yaml"
    if text is not None:
        file.write_text(HEAD + text)
    with pytest.raises(PermanentError, match=f"^the kubelet's configuration cannot be followed: .*{message}"):
        configured(NodeConfig(kubelet_config=str(file)), plain)
