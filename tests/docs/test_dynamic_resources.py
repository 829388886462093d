"""The page about devices and gangs: what it applies does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.docs.simulated import as_told
from wherry.testing import Cluster

PAGE = (Path(__file__).parents[2] / "docs" / "dynamic-resources.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```yaml\n(.*?)```", PAGE, re.S))


def devices(claim: dict[str, Any]) -> list[tuple[str, str]]:
    results = claim["status"]["allocation"]["devices"]["results"]
    return [(result["request"], result["device"]) for result in results]


def test_a_pod_gets_its_card_and_the_next_one_waits_for_it() -> None:
    with as_told(PAGE) as c:
        c.apply(EXAMPLES["devices"])
        c.apply(EXAMPLES["pod"])
        c.wait("pod/train", "Ready")
        (claim,) = c.client.list("resourceclaims")
        assert devices(claim) == [("card/large", "gpu-0")]
        assert c.client.get("pod", "train")["spec"]["nodeName"] == "hollow-0"
        c.apply(EXAMPLES["pod"].replace("{name: train}", "{name: next}"))
        c.clock.advance("1m")
        waits = "0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, "
        told = [event["message"] for event in c.client.list("events")]
        assert any(message.startswith(waits) and message[-1] == "." for message in told)
        assert waits in PAGE
        c.client.delete("pod", "train")
        c.wait("pod/next", "Ready", timeout="5m")
        (claim,) = c.client.list("resourceclaims")
        assert devices(claim) == [("card/large", "gpu-0")]


def test_a_gang_goes_whole() -> None:
    half = EXAMPLES["gang"].replace('cpu: "1"', 'cpu: "16"')  # of a simulated node
    with Cluster(nodes=1) as c:
        c.apply(half)
        c.clock.advance("1m")
        assert [pod["spec"].get("nodeName") for pod in c.client.list("pods")] == [None] * 3
        told = {
            event["message"] for event in c.client.list("events") if event["reason"] == "FailedScheduling"
        }
        (page,) = re.findall(r"`(minCount [^`]+)`", PAGE)
        assert any(message.startswith(page) for message in told)
        c.nodes.add(1)
        c.wait("podgroup/ring", "PodGroupInitiallyScheduled", timeout="5m")
        c.clock.advance("10s")
        assert all(pod["spec"].get("nodeName") for pod in c.client.list("pods"))
