"""Whether everything is right again: nothing acknowledged is lost, and nothing of the dead is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.faults import Victim
from tests.chaos.load import NAMESPACE, Load
from tests.live.machine import footprint

RECOVERY_S = 480.0
"""A node that ran short of disk takes new pods only after five minutes (the kubelet's transition period)."""


def until(look: Callable[[], str], timeout_s: float = RECOVERY_S) -> str:
    """The complaint `look` still has when the time is up, "" as soon as it has none."""
    deadline = time.monotonic() + timeout_s
    while (complaint := look()) and time.monotonic() < deadline:
        time.sleep(1.0)
    return complaint


def recovered(victim: Victim) -> str:
    """Why the cluster is not as it should be; "" when it is."""
    done = victim.cluster.try_wherry("status", "-o", "json")
    if done.code:
        return f"status: exit code {done.code}: {done.out}{done.err}"
    rolled = victim.cluster.try_kubectl(
        *("rollout", "status", "deployment/busy", "-n", NAMESPACE, "--timeout=5s"),
    )
    if rolled.code:
        return f"rollout: {rolled.out}{rolled.err}"
    node = victim.cluster.get("nodes")["items"][0]
    ready = [c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready"]
    return "" if ready == ["True"] else f"node is not ready: {ready}"


def lost(load: Load) -> list[str]:
    """Objects that are not what was acknowledged last, nor anything sent since."""
    api = load.api("verdict")
    code, answer = api.call("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps")
    api.close()
    if code != 200:
        return [f"the list was answered {code}"]
    found = {
        item["metadata"]["name"]: item["data"].get("value") for item in answer["items"] if "data" in item
    }
    return [
        f"{name} is {found.get(name)!r}, may be {ledger.allowed(name)}"
        for ledger in load.ledgers
        for name in {*ledger.acknowledged, *ledger.open}
        if found.get(name) not in ledger.allowed(name)
    ]


def left_behind(victim: Victim) -> list[str]:
    """What is on the node beyond its pods: sandboxes' namespaces, addresses, logs, volumes."""
    pods = victim.cluster.get("pods", "-A")["items"]
    uids = {pod["metadata"]["uid"] for pod in pods}
    addresses = {pod["status"].get("podIP") for pod in pods if not pod["spec"].get("hostNetwork")}
    complaints = []
    paths = victim.cluster.node_paths
    for root, uid_at in ((paths.pod_logs, 2), (paths.kubelet / "pods", 0)):
        for entry in root.iterdir() if root.is_dir() else ():
            uid = entry.name.split("_")[uid_at] if uid_at else entry.name
            if uid not in uids:
                complaints.append(f"{entry} is of no pod")
    given = _addresses(paths.cni)
    complaints += [f"address {address} is of no pod" for address in given - addresses]
    return complaints


def _addresses(cni: Path) -> set[str]:
    return {entry.name for entry in cni.rglob("*") if entry.is_file() and entry.name.count(".") == 3}


def traces(victim: Victim) -> dict[str, Any]:
    """What a deleted cluster left on the machine."""
    return footprint(victim.cluster.marks).found()
