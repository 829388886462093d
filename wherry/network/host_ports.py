"""Host ports that outlive a flush: portmap's rules for running pods, made again when others took them away.

The rules are the CNI plugin's and are made once, when a sandbox is. What it was told then is in libcni's
results (`cniCacheV1`), so it can be told again, which changes nothing where its rules still stand.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.network.cni import PodNetwork
from wherry.network.rules import CNI_RESULTS, result_files
from wherry.network.tool import NetworkFailure, run_tool

log = logging.getLogger(__name__)

PLUGIN = "portmap"
HOOKS = ("-A PREROUTING", "-A OUTPUT")
CHAIN = "CNI-HOSTPORT-DNAT"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox with host ports: what libcni remembers of how its network was made."""

    id: str
    interface: str
    namespace: str
    config: dict[str, Any]
    """The plugin's configuration, `prevResult` and `runtimeConfig` included."""
    arguments: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables a CNI plugin is called with (the CNI specification, section 3)."""
        return {
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": self.id,
            "CNI_NETNS": self.namespace,
            "CNI_IFNAME": self.interface,
            "CNI_ARGS": self.arguments,
        }


def read_sandbox(result: dict[str, Any]) -> Sandbox | None:
    """The sandbox of a cached result; None for one without host ports."""
    given = result.get("capabilityArgs") or {}
    ports = given.get("portMappings")
    if not ports:
        return None
    conflist = json.loads(base64.b64decode(result["config"]))
    plugin = next(p for p in conflist["plugins"] if p["type"] == PLUGIN)
    made = result["result"]
    inside = [i["sandbox"] for i in made["interfaces"] if i.get("sandbox") and i["name"] == result["ifName"]]
    return Sandbox(
        id=result["containerId"],
        interface=result["ifName"],
        namespace=inside[0],
        config={
            **plugin,
            "name": conflist["name"],
            "cniVersion": conflist["cniVersion"],
            "runtimeConfig": {"portMappings": ports},
            "prevResult": made,
        },
        arguments=";".join(f"{key}={value}" for key, value in result.get("cniArgs") or ()),
    )


def read_sandboxes(network: PodNetwork, directory: Path = CNI_RESULTS) -> list[Sandbox]:
    """The sandboxes of the network that have host ports. One that cannot be read is left out and named."""
    found = []
    for file in result_files(network, directory):
        try:
            sandbox = read_sandbox(json.loads(file.read_text()))
        except FileNotFoundError:
            continue  # it ended just now
        except (ValueError, LookupError, TypeError, StopIteration) as error:
            log.warning("%s: not what libcni writes, its host ports are not looked after: %r", file, error)
            continue
        if sandbox is not None:
            found.append(sandbox)
    return found


def missing_ports(saved: str, sandboxes: Sequence[Sandbox]) -> list[Sandbox]:
    """The sandboxes whose ports lead nowhere, by what `iptables-save -t nat` says."""
    lines = [line.replace('\\"', '"') for line in saved.splitlines()]
    hooked = all(any(line.startswith(hook) and f"-j {CHAIN}" in line for line in lines) for hook in HOOKS)
    if not hooked:
        return list(sandboxes)
    entries = [line for line in lines if line.startswith(f"-A {CHAIN} ")]
    filled = {line.split(" ", 2)[1] for line in lines if line.startswith("-A ")}
    standing = [e for e in entries if e.split(" -j ")[-1].split(" ")[0] in filled]
    return [s for s in sandboxes if not any(f'id: "{s.id}"' in entry for entry in standing)]


async def restore_ports(network: PodNetwork, plugins: Path) -> list[str]:
    """Have the host ports of running sandboxes lead to them again; the ids of those that did not.

    `plugins` is where the CNI plugins lie. Raises NetworkFailure.
    """
    sandboxes = await asyncio.to_thread(read_sandboxes, network)
    if not sandboxes:
        return []
    missing = missing_ports(await run_tool("iptables-save", "-t", "nat"), sandboxes)
    failures = []
    for sandbox in missing:
        if not Path(sandbox.namespace).exists():
            continue  # it ends just now, and its ports with it
        try:
            await run_tool(
                str(plugins / PLUGIN),
                stdin=json.dumps(sandbox.config),
                variables={**os.environ, **sandbox.environment, "CNI_PATH": str(plugins)},
            )
        except NetworkFailure as error:
            failures.append(str(error))
    if failures:
        raise NetworkFailure("; ".join(failures[:5]))
    return [sandbox.id for sandbox in missing]
