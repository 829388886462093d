"""Completion: a real bash asks the command; the scripts of zsh and fish are those their shells understand."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import WHERRY, make, wherry
from wherry.cluster.clusters import Machine

ZSH = """\
#compdef wherry

_wherry_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _WHERRY_COMPLETE=complete_zsh wherry)
}

compdef _wherry_completion wherry
"""
FISH = (
    'complete --command wherry --no-files --arguments "(env _WHERRY_COMPLETE=complete_fish '
    '_TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) wherry)" --condition '
    '"env _WHERRY_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args '
    '_TYPER_COMPLETE_ARGS=(commandline -cp) wherry"\n'
)

KUBECTL = """\
#!/bin/sh
[ "$1" = __complete ] && shift && printf 'pods\\tthey run\\npo-%s\\n:4\\n' "$KUBECONFIG:$*"
"""
"""Offers what it was asked, too."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `wherry` is found."""
    program = tmp_path / "bin" / "wherry"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(WHERRY)} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{program.parent}:{os.environ['PATH']}"


def complete_in_bash(words: list[str], path: str) -> list[str]:
    """What bash's own completion function for `wherry` offers after `words`."""
    quoted = " ".join(f"'{word}'" for word in words)
    function = Path(path.split(":")[0]) / "completion"
    function.write_text(wherry("completion", "bash").stdout)
    script = (
        f"source {function}; "
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        "_wherry_completion wherry; printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p wherry"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.stderr == ""
    *offered, how = done.stdout.splitlines()
    assert how == "complete -o default -F _wherry_completion wherry"
    return offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["wherry", "st"], ["status", "stop", "start"]),
        (["wherry", "image", "p"], ["pull", "pack"]),
        (["wherry", "up", "--pod"], ["--pod-cidr"]),
        (["wherry", "logs", "s"], ["server", "supervisor"]),
        (["wherry", "completion", "z"], ["zsh"]),
        (["wherry", "logs", "--name", "s", "s"], ["server", "supervisor"]),
        (["wherry", "logs", "--name", "s", ""], ["server", "supervisor"]),
        (["wherry", "up", "--runtime", "s"], ["simulated"]),
        (["wherry", "up", "--disable-admission-plugins", "PodS"], ["PodSecurity"]),
        (["wherry", "up", "--enable-admission-plugins", "Priority,PodS"], ["Priority,PodSecurity"]),
        (["wherry", "test-server", "--controllers", "cr"], ["cronjob"]),
        (["wherry", "kubectl", "--name", "d"], ["default", "dev"]),
        (["wherry", "kubectl", "--name", "dev", "get", "po"], ["pods", "po-/dev/null:get po"]),
        (["wherry", "status", "--name", "d"], ["default", "dev"]),
    ],
)
def test_bash_completes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, path: str, words: list[str], offered: list[str]
) -> None:
    make(machine)
    dev = make(machine, name="dev", api_port=7443)
    make(machine, name="s", api_port=8443, runtime="simulated")
    (dev.paths.data / "kubectl").write_text(KUBECTL)
    (dev.paths.data / "kubectl").chmod(0o755)
    monkeypatch.setenv("WHERRY_KUBECTL", str(dev.paths.data / "kubectl"))
    assert complete_in_bash(words, path) == offered


@pytest.mark.parametrize(("shell", "script"), [("zsh", ZSH), ("fish", FISH)])
def test_scripts_are_these(shell: str, script: str) -> None:
    assert wherry("completion", shell).stdout == script


@pytest.mark.parametrize(
    ("shell", "variables", "answer"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "wherry vers"}, '"version":"Print the version'),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "wherry vers", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "version\tPrint the version",
        ),
    ],
)
def test_what_other_shells_are_answered(shell: str, variables: dict[str, str], answer: str) -> None:
    done = wherry(env={**os.environ, "_WHERRY_COMPLETE": f"complete_{shell}", **variables})
    assert answer in done.stdout
    assert done.stderr == ""


def test_another_shell_is_refused() -> None:
    done = wherry("completion", "tcsh")
    assert (done.returncode, done.stderr) == (2, "wherry: no completion for 'tcsh'; use bash, zsh or fish\n")
