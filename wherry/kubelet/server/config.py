"""What one kubelet server is told: where to listen, who it is, and who may ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.tls import DEFAULT_TLS, TlsRules


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletServerConfig:
    """The settings of a node's kubelet server; `port` 0 takes any free one.

    `cert_file` and `key_file` (PEM) are its own; clients need a certificate of `client_ca_file`
    and must be in `system:masters` or have one of `allowed_names`. Only files below `log_dir` are
    shown as logs.
    """

    node_name: str
    cert_file: Path
    key_file: Path
    client_ca_file: Path
    log_dir: Path
    host: str = "0.0.0.0"  # noqa: S104
    port: int = 10250
    allowed_names: Sequence[str] = ("kube-apiserver-kubelet-client",)
    tls: TlsRules = DEFAULT_TLS
