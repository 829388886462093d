"""What a user may decide: about a cluster (`ClusterConfig`), and about this machine's node (`NodeConfig`).

The two make a `Setup`. Only who sets both up (`Lifecycle`, the command line) has both: the server goes by the
one, an agent by the other. Where the values come from, from weakest to strongest: built-in defaults, the
configuration a cluster was made with, the file given by `--config` (`apiVersion: wherry.dev/v1alpha1, kind:
Cluster`), `WHERRY_*` variables, flags.
Every value is checked when it is read, and a complaint names its field and the remedy.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.settings import ATTRIBUTES, SETTINGS, Source, Spelling, nearest_field, parse, spell
from wherry.cluster.values import files_of

API_VERSION = "wherry.dev/v1alpha1"
KIND = "Cluster"
SIMULATION_KINDS = ("Nodes", "Outcome", "Stage")
"""Kinds of documents that describe simulated nodes (`hollow/files`)."""
FILES = tuple(setting.field for setting in SETTINGS.values() if setting.parse is files_of)
"""Settings that name files: who goes by them goes by what is in the files, too."""


class ConfigError(Exception):
    """The configuration cannot be used; the message names the field and what to do."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A cluster, and this machine's node in it, which goes by the cluster."""

    cluster: ClusterConfig
    node: NodeConfig = field(default_factory=NodeConfig)

    def __post_init__(self) -> None:
        """Tell the node what it has to know of the cluster."""
        cluster = self.cluster
        joined = replace(
            self.node,
            cluster=cluster.name,
            server=cluster.server_url,
            server_address=cluster.server_address,
            dns_address=cluster.dns_address,
            is_for_this_machine=cluster.is_for_this_machine,
            cluster_cidr=cluster.pod_cidr,
            service_cidr=cluster.service_cidr,
            cluster_domain=cluster.cluster_domain,
            log_level=cluster.log_level,
        )
        object.__setattr__(self, "node", joined)

    @classmethod
    def of(cls, name: str = "default", **values: Any) -> Setup:
        """The setup of the cluster `name` with `values` (by attribute of `SETTINGS`) and defaults."""
        return cls(ClusterConfig(name=name)).having(values)

    def value(self, attribute: str) -> Any:
        """The value of a setting, by its attribute in `SETTINGS`, or the cluster's `name`."""
        if attribute == "name":
            return self.cluster.name
        setting = SETTINGS[attribute]
        return getattr(self.node, setting.of_node) if setting.of_node else getattr(self.cluster, attribute)

    def having(self, values: Mapping[str, Any]) -> Setup:
        """The same with other `values` (by attribute, typed)."""
        cluster: dict[str, Any] = {}
        node: dict[str, Any] = {}
        for attribute, value in values.items():
            of_node = SETTINGS[attribute].of_node if attribute in SETTINGS else ""
            (node if of_node else cluster)[of_node or attribute] = value
        return Setup(replace(self.cluster, **cluster), replace(self.node, **node))


def index_defaults(name: str, index: int) -> Setup:
    """The defaults of the `index`th cluster of a machine: ports and ranges that do not collide.

    Raises ConfigError past the 50th, where the ranges run out.
    """
    if index > 50:
        raise ConfigError(
            "more than 50 clusters on one machine: give podCIDR, serviceCIDR and ports yourself"
        )
    base = Setup.of(name)
    if index == 0:
        return base
    return base.having(
        {
            "api_port": base.cluster.api_port + index,
            "kubelet_port": base.node.kubelet_port + 10 * index,
            "pod_cidr": f"10.{244 - index}.0.0/16",
            "service_cidr": f"10.{96 + index}.0.0/16",
            "node_name": name,
            "node_ports": (30000 + 50 * index, 30049 + 50 * index),
        }
    )


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a configuration file says, not yet checked: the cluster's name (None for none), and settings."""

    path: Path
    name: Any
    values: Mapping[str, Any]

    @property
    def source(self) -> Source:
        """How its settings are written."""
        return Source.of_file(self.path)


def load_config_file(path: Path) -> ConfigFile:
    """Read a file of kind Cluster. Raises ConfigError naming file, field and remedy."""
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; check --config") from None
    except PermissionError:
        raise  # who may not read it is told so as everywhere
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}: not valid YAML{where}; repair it") from error
    if len(documents) > 1:
        kinds = ", ".join(_kind_of(one) for one in documents)
        raise ConfigError(f"{path}: has {len(documents)} documents ({kinds}); write one, of kind {KIND}")
    document = documents[0] if documents else None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must be a mapping with apiVersion: {API_VERSION}, kind: {KIND}")
    for part, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if document.get(part) != wanted:
            is_simulation = str(document.get("kind")) in SIMULATION_KINDS
            hint = "; such files are given with --simulation" if is_simulation else ""
            found = document.get(part)
            raise ConfigError(
                f"{path}: {part} must be {wanted}, is {found!r} (of {_kind_of(document)}){hint}"
            )
    return _from_document(path, document)


def _kind_of(document: Any) -> str:
    kind = document.get("kind") if isinstance(document, dict) else None
    return f"kind {kind}" if kind else "no kind"


def _from_document(path: Path, document: Mapping[str, Any]) -> ConfigFile:
    for part in document.keys() - {"apiVersion", "kind", "metadata", "spec"}:
        raise ConfigError(f"{path}: unknown field {part!r}; settings belong below spec")
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict) or metadata.keys() - {"name"}:
        raise ConfigError(f"{path}: metadata takes only a name")
    spec = document.get("spec") or {}
    if not isinstance(spec, dict):
        raise ConfigError(f"{path}: spec must be a mapping")
    for part in spec:
        if part not in ATTRIBUTES:
            near = nearest_field(str(part))
            hint = f"did you mean spec.{near}?" if near else f"known: {', '.join(ATTRIBUTES)}"
            raise ConfigError(f"{path}: unknown field spec.{part}; {hint}")
    values = {ATTRIBUTES[part]: value for part, value in spec.items()}
    return ConfigFile(path, metadata.get("name"), values)


def read_config_file(path: Path, base: Setup) -> Setup:
    """`base` overlaid with the file, name included. Raises ConfigError naming file, field and remedy."""
    file = load_config_file(path)
    return overlay(base, {"name": file.name, **file.values}, file.source)


def overlay(base: Setup, values: Mapping[str, Any], source: Source) -> Setup:
    """`base` with `values` (by attribute name, as text or typed) set, all checked. Raises ConfigError.

    `source` says in complaints how the user wrote them.
    """
    setup = set_values(base, values, source)
    check_together(setup, {attribute: source.spell(attribute) for attribute in values})
    return setup


def set_values(base: Setup, values: Mapping[str, Any], source: Source) -> Setup:
    """`base` with `values` set, each checked for itself. Raises ConfigError."""
    parsed: dict[str, Any] = {}
    for attribute, value in values.items():
        if value is None:
            continue
        try:
            parsed[attribute] = parse(attribute, value)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{source.spell(attribute)}: {error}") from None
    return base.having(parsed)


def spec_of(setup: Setup) -> dict[str, Any]:
    """Every setting as it is written in a file."""
    spec: dict[str, Any] = {}
    for attribute, setting in SETTINGS.items():
        value = setup.value(attribute)
        if attribute == "node_ports":
            value = f"{value[0]}-{value[1]}"
        elif isinstance(value, tuple):
            value = list(value)
        spec[setting.field] = dict(value) if isinstance(value, Mapping) else value
    return spec


def told_of(setup: Setup) -> dict[str, Any]:
    """What components go by: every setting as it is written, and of files what is in them now."""
    spec = spec_of(setup)
    for name in FILES:
        spec[name] = [f"{path} {_digest(Path(path))}" for path in spec[name]]
    return spec


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def dump_config(setup: Setup) -> str:
    """The configuration as a file that `read_config_file` takes."""
    named = {"metadata": {"name": setup.cluster.name}, "spec": spec_of(setup)}
    text: str = yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, **named}, sort_keys=False)
    return text


def check_together(setup: Setup, spelling: Spelling) -> None:
    """Whether the settings go with each other. Raises ConfigError."""
    config = setup.cluster
    pods, services = ipaddress.ip_network(config.pod_cidr), ipaddress.ip_network(config.service_cidr)
    if pods.overlaps(services):
        names = _pair(spelling, "pod_cidr", "service_cidr")
        raise ConfigError(f"{names[0]} {pods} overlaps {names[1]} {services}; choose another range")
    low, high = config.node_ports
    for attribute in ("api_port", "kubelet_port"):
        port = setup.value(attribute)
        if low <= port <= high:
            names = _pair(spelling, attribute, "node_ports")
            raise ConfigError(f"{names[0]} {port} lies in {names[1]} {low}-{high}; choose another port")
    if config.enable_admission_plugins or config.disable_admission_plugins:
        _check_plugins(config, spelling)
    if config.api_port == setup.node.kubelet_port:
        names = _pair(spelling, "api_port", "kubelet_port")
        raise ConfigError(f"{names[0]} and {names[1]} are both {config.api_port}; they must differ")


def _pair(spelling: Spelling, first: str, second: str) -> tuple[str, str]:
    """How two settings were written, with the file they are both from named once, and in front."""
    one, other = spell(spelling, first), spell(spelling, second)
    place, colon, _ = one.rpartition(": ")
    return one, other.removeprefix(place + colon)


def _check_plugins(config: ClusterConfig, spelling: Spelling) -> None:
    # Imported here: nobody else who reads a configuration needs the plugins.
    from wherry.apiserver.admission.catalog import check_choice

    on, off = config.enable_admission_plugins, config.disable_admission_plugins
    both = "enable_admission_plugins", "disable_admission_plugins"
    for enabled, disabled, attributes in ((on, (), both[:1]), ((), off, both[1:]), (on, off, both)):
        try:
            check_choice(enabled, disabled)
        except ValueError as error:
            names = _pair(spelling, *attributes) if len(attributes) == 2 else [spell(spelling, attributes[0])]
            raise ConfigError(f"{', '.join(names)}: {error}") from None
