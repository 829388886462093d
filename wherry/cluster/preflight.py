"""What must be true before a cluster can start on this machine, checked before anything is made.

Each check gives a `Problem` whose text names the remedy; nothing is changed. The kinds tell the
command line which exit code to use.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.cluster.advice import as_root, command
from wherry.cluster.components import PermanentError
from wherry.cluster.config import Setup
from wherry.cluster.kubelet_files import configured
from wherry.cluster.names import NodeNames, OldNames
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.registries import registries_of
from wherry.cluster.settings import Spelling, flag_of, spell
from wherry.kit.ports import why_not_bindable
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.containerd.facts import MissingPrograms, find_programs
from wherry.network.routes import overlapping_route, read_routes


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a cluster cannot start here. `kind` is "permission", "program" or "setting"."""

    kind: str
    message: str


def find_problems(
    setup: Setup, spelling: Spelling | None = None, search_path: str | None = None
) -> list[Problem]:
    """Everything in the way of starting the cluster, the most basic first.

    `spelling` is how the user wrote settings; `search_path` replaces $PATH.
    """
    config = setup.cluster
    if config.is_simulated:
        return list(_taken_ports(setup, ("api_port",)))
    if os.geteuid() != 0:
        return [
            Problem(
                "permission", f"containers, interfaces and firewall rules need root: run it again {as_root()}"
            )
        ]
    ports = _taken_ports(setup, ("api_port", "kubelet_port"))
    ranges = _taken_ranges(setup, spelling or {})
    return [*_missing_programs(search_path), *ports, *ranges, *_unusable_files(setup.node)]


def find_problems_of_change(setup: Setup, changed: Collection[str]) -> list[Problem]:
    """What is in the way of a running cluster's going by other values of the settings `changed`."""
    config = setup.cluster
    if os.geteuid() != 0 and not config.is_simulated:
        return [Problem("permission", f"settings are changed by root: run it again {as_root()}")]
    problems = list(_taken_ports(setup, changed))
    # Our own server has the port at another address: is the address this machine's?
    if "api_host" in changed and (why := why_not_bindable(config.api_host, 0)):
        problems.append(Problem("setting", f"the API server cannot listen on {config.api_host}: {why}"))
    if not config.is_simulated:
        problems += _unusable_files(setup.node)
    return problems


def _missing_programs(search_path: str | None) -> Iterator[Problem]:
    try:
        find_programs(lambda program: shutil.which(program, path=search_path))
    except MissingPrograms as error:
        yield Problem("program", str(error))


def _taken_ports(setup: Setup, asked: Collection[str]) -> Iterator[Problem]:
    """Ports that cannot be had, of those the settings `asked` are about."""
    for attribute, field, host, port in (
        ("api_port", "API server", setup.cluster.api_host, setup.cluster.api_port),
        ("kubelet_port", "kubelet", "0.0.0.0", setup.node.kubelet_port),  # noqa: S104 - asks, does not serve
    ):
        why = why_not_bindable(host, port) if attribute in asked else ""
        if why:
            yield Problem(
                "setting",
                f"the {field} cannot listen on {host}:{port}: {why}; choose another with: "
                f"{command('up', setup.cluster.name)} {flag_of(attribute)} PORT",
            )


def _taken_ranges(setup: Setup, spelling: Spelling) -> Iterator[Problem]:
    config = setup.cluster
    names = (NodeNames(config.name, setup.node.name), OldNames(config.name, ""))
    own = {one.bridge for one in names}
    routes = [route for route in read_routes() if route[0] not in own]
    for attribute, text in (("pod_cidr", config.pod_cidr), ("service_cidr", config.service_cidr)):
        taken = overlapping_route(ipaddress.IPv4Network(text), routes)
        if taken:
            yield Problem(
                "setting",
                f"{spell(spelling, attribute)} {text} overlaps {taken}, which this machine already reaches; "
                f"choose with {flag_of(attribute)}",
            )


def _unusable_files(node: NodeConfig) -> Iterator[Problem]:
    """Files and folders the settings name that would keep the node from starting, read as it reads them."""
    plain = KubeletConfig(node_name=node.name, node_ip="127.0.0.1", root_dir=Path("/"), log_dir=Path("/"))
    for read in (lambda: configured(node, plain, tells=False), lambda: registries_of(node)):
        try:
            read()
        except PermanentError as error:
            yield Problem("setting", str(error))
    if node.images:
        try:
            next(Path(node.images).iterdir(), None)
        except OSError as error:
            yield Problem(
                "setting", f"the images of {node.images} cannot be loaded: {error.strerror or error}"
            )
