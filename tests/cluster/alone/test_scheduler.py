"""What a scheduler alone is told by a file, and by flags beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from wherry.cluster.alone.election_flags import election_config
from wherry.cluster.alone.flags import FlagError, Values, parse
from wherry.cluster.alone.process import main
from wherry.cluster.alone.scheduler import FLAGS, PROGRAM, configuration
from wherry.cluster.catalog import SCHEDULER

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def told(file: Path, text: str, *arguments: str) -> Values:
    file.write_text(HEAD + text)
    return parse(PROGRAM, FLAGS, [f"--config={file}", *arguments])


def test_profiles_and_leader_election_come_from_a_file(tmp_path: Path) -> None:
    text = "profiles: [{schedulerName: packed}]\nleaderElection: {leaderElect: false, leaseDuration: 30s}\n"
    found, values = configuration(told(tmp_path / "c", text, "--leader-elect-retry-period=1s"))
    assert [profile.name for profile in found.profiles] == ["packed"]
    assert not values.is_on("leader-elect")
    config = election_config(values)
    assert (config.duration_s, config.retry_s, config.name) == (30, 1, "kube-scheduler")
    _, values = configuration(told(tmp_path / "c", text, "--leader-elect"))
    assert values.is_on("leader-elect"), "a flag that is given wins"


def test_without_a_file_there_is_the_default_profile() -> None:
    found, values = configuration(parse(PROGRAM, FLAGS, []))
    assert [profile.name for profile in found.profiles] == ["default-scheduler"]
    assert values.is_on("leader-elect")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profiles: 3\n", "--config: .*: "),
        (
            "leaderElection: {leaseDuration: soon}\n",
            'invalid argument "soon" for "--leader-elect-lease',
        ),
        ("extenders: [{urlPrefix: 'http://x', filterVerb: f, weight: heavy}]\n", "--config: .*: "),
    ],
)
def test_what_cannot_be_followed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FlagError, match=message):
        configuration(told(tmp_path / "c", text))


def test_extenders_are_asked_here_too(tmp_path: Path) -> None:
    text = "extenders: [{urlPrefix: 'http://x', filterVerb: f, preemptVerb: p}]\n"
    found, _ = configuration(told(tmp_path / "c", text))
    assert [extender["preemptVerb"] for extender in found.extenders] == ["p"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--leader-elect-resource-lock=endpoints", "'endpoints' is gone from upstream too; use leases"),
        ("--leader-elect-renew-deadline=20s", "leaseDuration must be greater than renewDeadline"),
    ],
)
def test_elections_that_cannot_be_held(argument: str, message: str) -> None:
    with pytest.raises(FlagError, match=message):
        election_config(parse(PROGRAM, FLAGS, [argument]))


@pytest.mark.parametrize("argument", ["--version", "--version=raw", "--version=true"])
def test_it_says_its_version_and_ends(
    argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(values: Values, stop: asyncio.Event) -> None:
        raise AssertionError("it is not run")

    monkeypatch.setattr("sys.argv", ["scheduler", argument, "--no-such-flag"])
    with pytest.raises(SystemExit) as ended:
        main(SCHEDULER, FLAGS, run)
    assert ended.value.code == 0
    assert capsys.readouterr().out == "Kubernetes v1.37.0\n"
