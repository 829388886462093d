"""What one kubelet server is told: where to listen, who it is, and who may ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.kit.tls import DEFAULT_TLS, TlsRules


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletServerConfig:
    """The settings of a node's kubelet server; `port` 0 takes any free one.

    `cert_file` and `key_file` (PEM) are its own. Clients show a certificate of `client_ca_file`, or a token;
    who is in `system:masters` or has one of `allowed_names` may everything, of others the API server is
    asked. Only files below `log_dir` are shown as containers' logs.
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
    flags: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What `/flagz` tells: the program's flags and their values."""
    is_debugging: bool = True
    """Upstream's `enableDebuggingHandlers`: without it nobody gets into containers by this server."""
    is_profiling: bool = True
    """Upstream's `enableProfilingHandler`: `/debug/pprof/`."""
    shows_system_logs: bool = False
    """Upstream's `enableSystemLogHandler`, which is off here: `/logs/` shows files below `system_log_dir`."""
    takes_log_queries: bool = False
    """Upstream's `enableSystemLogQuery` (KEP-2258): `/logs/?query=` asks for a service's log."""
    system_log_dir: Path = Path("/var/log")
    checkpoint_dir: Path | None = None
    """Where checkpoints of containers are written; None refuses to make any."""
