"""The page about the node agent: what it applies does what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.docs.simulated import as_told
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.configuration.applied import applied, ignored
from wherry.kubelet.configuration.decoding import read_configuration
from wherry.kubelet.credential_plugins.config import read_providers
from wherry.kubelet.static_pods.manifest import FILE, Origin, read_pod

PAGE = (Path(__file__).parents[2] / "docs" / "kubelet.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```yaml\n(.*?)```", PAGE, re.S))
[PATCH] = re.findall(r"--subresource resize --patch \\\n\s+'(.*?)'", PAGE)


def test_a_pod_is_resized_as_the_page_says() -> None:
    with as_told(PAGE) as c:
        c.apply(EXAMPLES["pod"])
        c.wait("pod/resize-demo", "Ready")

        def status() -> Any:
            return c.client.get("pod", "resize-demo")["status"]["containerStatuses"][0]

        before = status()
        assert before["resources"]["limits"] == {"cpu": "700m", "memory": "200Mi"}
        c.client.patch("pod", "resize-demo", json.loads(PATCH), how="strategic", subresource="resize")
        c.clock.advance("1s")
        after = status()
        for kind in ("requests", "limits"):
            assert after["resources"][kind] == {"cpu": "800m", "memory": "200Mi"}
        assert after["allocatedResources"] == {"cpu": "800m", "memory": "200Mi"}
        assert after["containerID"] == before["containerID"]


def test_the_manifest_of_the_page_is_one() -> None:
    pod = read_pod(EXAMPLES["static"].encode(), Origin(FILE, "/etc/kubernetes/manifests/web.yaml", "node"))
    assert pod["metadata"]["name"] == "static-web-node"


def test_processors_of_the_page_are_given_out(tmp_path: Path) -> None:
    file = tmp_path / "kubelet.yaml"
    file.write_text(EXAMPLES["processors"])
    plain = KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=tmp_path, log_dir=tmp_path)
    managers = applied(read_configuration(file, None), plain).managers
    assert managers.cpu_policy == "static"
    assert managers.reserved_cpus == frozenset({0})
    assert managers.topology_policy == "best-effort"


def test_the_configuration_of_the_page_is_one(tmp_path: Path) -> None:
    file = tmp_path / "kubelet.yaml"
    file.write_text(EXAMPLES["configuration"])
    said = read_configuration(file, None)
    plain = KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=tmp_path, log_dir=tmp_path)
    config = applied(said, plain)
    assert (config.max_pods, config.restart_longest_s, config.seccomp_default) == (60, 30.0, True)
    assert ignored(said) == []


def test_periods_of_the_page(tmp_path: Path) -> None:
    plain = KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=tmp_path, log_dir=tmp_path)
    file = tmp_path / "kubelet.yaml"
    found = []
    for name in ("shutdown", "priorities"):
        file.write_text(EXAMPLES[name])
        found.append(list(applied(read_configuration(file, None), plain).shutdown_periods))
    assert found == [[(0, 20), (2_000_000_000, 10)], [(0, 30), (10_000, 60), (100_000, 10)]]


def test_the_plug_in_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "registry-login").touch(mode=0o755)
    file = tmp_path / "providers.yaml"
    file.write_text(
        dict(re.findall(r"<!-- example: ([\w-]+) -->\n```yaml\n(.*?)```", PAGE, re.S))["credential-provider"]
    )
    (found,) = read_providers(file, tmp_path)
    assert (found.name, found.cache_s) == ("registry-login", 600.0)
    assert found.token is not None
    assert found.token.audience == "registry.example.com"
