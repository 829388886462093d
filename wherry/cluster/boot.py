"""Starting a cluster when the machine boots: a systemd unit of its own, `wherry@NAME.service`.

The unit runs `wherry start` and `wherry stop`; the processes are those the command line starts, so that a
cluster is the same with systemd and without. It is enabled when it is made, and left as it is afterwards:
whoever disables it means it. Who has no systemd is told what else to do (systemd.service(5), sd_booted(3)).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wherry.cluster.paths import ClusterPaths
from wherry.kit.user_files import keep_file

UNITS = Path("etc/systemd/system")
BOOTED = Path("run/systemd/system")
TARGET = "multi-user.target"
START_WITHIN_S = 120
SYSTEMCTL_TIMEOUT_S = 90.0
"""`disable --now` waits for what the unit runs when it stops."""
NOT_READY_IN_TIME = 4
"""Exit code of `wherry start` that leaves a cluster behind which goes on starting."""
PASSED_ON = ("WHERRY_DATA_ROOT", "WHERRY_RUN_ROOT")


class BootFailure(Exception):
    """The cluster will not be started at boot; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootUnit:
    """The unit of one cluster; `root` stands before `/etc` and `/run`."""

    name: str
    paths: ClusterPaths
    root: Path = Path("/")

    @property
    def unit(self) -> str:
        return f"wherry@{self.name}.service"

    @property
    def file(self) -> Path:
        return self.root / UNITS / self.unit

    def is_possible(self) -> bool:
        """Whether this machine was booted by systemd."""
        return (self.root / BOOTED).is_dir() and shutil.which("systemctl") is not None

    def install(self, environ: Mapping[str, str]) -> None:
        """Have the cluster started at boot, if the unit is not there yet. Raises BootFailure."""
        text = render_unit(self.name, self.paths, environ)
        is_new = not self.file.exists()
        try:
            if not is_new and self.file.read_text() == text:
                return
            keep_file(self.file, text.encode(), mode=0o644)
        except OSError as error:
            raise BootFailure(f"{self.file}: {error.strerror or error}") from error
        if not is_new:
            self._systemctl("daemon-reload")
            return
        try:
            # Nothing is running by it yet, so there is nothing that would have to be read again now.
            self._systemctl("--no-reload", "--quiet", "enable", self.unit)
        except BootFailure:
            self.file.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Take away what `install` made, also where systemd is gone. Raises BootFailure, OSError."""
        link = self.root / UNITS / f"{TARGET}.wants" / self.unit
        if not self.file.exists() and not link.is_symlink():
            return
        is_possible = self.is_possible()
        try:
            if is_possible:
                self._systemctl("--quiet", "disable", "--now", self.unit)
        finally:
            link.unlink(missing_ok=True)
            self.file.unlink(missing_ok=True)
        if is_possible:
            self._systemctl("daemon-reload")

    def _systemctl(self, *arguments: str) -> None:
        try:
            done = subprocess.run(
                ["systemctl", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SYSTEMCTL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BootFailure(f"systemctl {' '.join(arguments)}: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise BootFailure(f"systemctl {' '.join(arguments)}: {said}")


def start_command(name: str, paths: ClusterPaths) -> list[str]:
    """The command that starts the cluster, whatever the environment."""
    return [*_wherry(), "start", "--name", name, "--data-dir", str(paths.data.resolve())]


def render_unit(name: str, paths: ClusterPaths, environ: Mapping[str, str]) -> str:
    """The unit file of the cluster `name`; of `environ` goes in what says where clusters lie."""
    data = paths.data.resolve()
    start = [*start_command(name, paths), "--wait", str(START_WITHIN_S)]
    stop = [*_wherry(), "stop", "--name", name, "--data-dir", str(data)]
    # `start` puts its context into a kubeconfig: into the cluster's own, not into root's.
    variables = {"KUBECONFIG": str(paths.admin_kubeconfig)}
    variables |= {variable: environ[variable] for variable in PASSED_ON if variable in environ}
    assignments = " ".join(_quoted(f"{key}={value}") for key, value in variables.items())
    return f"""\
# Made by `wherry up`, removed by `wherry down` and `wherry delete`.
[Unit]
Description=Wherry cluster {name}
After=network.target
RequiresMountsFor={_quoted(str(data))}
ConditionPathExists={_escaped(str(paths.config))}

[Service]
Type=oneshot
RemainAfterExit=yes
Environment={assignments}
ExecStart={_command(start)}
ExecStop=-{_command(stop)}
SuccessExitStatus={NOT_READY_IN_TIME}
TimeoutStartSec={START_WITHIN_S + 60}
# Containers outlive the control plane; `wherry down` ends them.
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy={TARGET}
"""


def _wherry() -> list[str]:
    return [sys.executable, "-m", "wherry.cli.main"]


def _command(words: list[str]) -> str:
    """A command line; `$` is for variables there, as nowhere else."""
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _quoted(text: str) -> str:
    """Text as one word of a setting (systemd.syntax(7), "Quoting")."""
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if set(text) & set(" \t\"'\\;") else escaped


def _escaped(text: str) -> str:
    """Text in which systemd sees no specifiers."""
    return text.replace("%", "%%")
