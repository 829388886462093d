"""`wherry up`: make the cluster if need be, start it, wait until its node is Ready."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from wherry.cli.failures import (
    BAD_SETTING,
    FAILED,
    INTERRUPTED,
    MISSING_PROGRAM,
    NOT_PERMITTED,
    NOT_READY,
    Failure,
)
from wherry.cli.options import ConfigFile, DataDir, Name, Output, Wait, check_output, with_settings
from wherry.cli.selection import refuse_what_lost_its_data, select
from wherry.cli.status import describe, simulated_nodes
from wherry.cli.terminal import Steps, print_json, say
from wherry.cluster.advice import about_files, as_root
from wherry.cluster.boot import BootFailure, start_command
from wherry.cluster.caller import find_caller
from wherry.cluster.catalog import SERVER
from wherry.cluster.config import Setup
from wherry.cluster.kubeconfig import KubeconfigError, UserKubeconfig, user_kubeconfig
from wherry.cluster.lifecycle import Lifecycle, NothingMade, NotReadyInTime, StartFailed
from wherry.cluster.machines import default_runtime
from wherry.cluster.preflight import Problem, find_problems, find_problems_of_change
from wherry.cluster.settings import spell
from wherry.cluster.state import States

EXIT_CODES = {"permission": NOT_PERMITTED, "program": MISSING_PROGRAM, "setting": BAD_SETTING}


@with_settings
def up(
    name: Name = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    wait: Wait = 60.0,
    output: Output = "text",
    **settings: Any,
) -> None:
    """Start a cluster and wait until its node is Ready.

    Who is not root, or has no containerd, gets a cluster of simulated nodes: all of the API and the
    controllers, and no containers.

    Running it again is harmless: what runs goes on, and settings that changed are applied. Settings are
    taken from, weakest first: defaults, what the cluster was made with, --config, WHERRY_* variables, flags.

    Examples:

      wherry up

      wherry up --name dev --api-port 7443

      wherry up --config dev.yaml

      wherry up --runtime simulated --nodes 5000
    """
    as_json = check_output(output)
    with when_interrupted("nothing was changed"):
        lifecycle = select(name, data_dir, config, settings)
        fresh = not lifecycle.exists()
    brought = bring_up(lifecycle, wait, Steps())
    with when_interrupted(_runs_on(lifecycle)):
        if as_json:
            start_at_boot(lifecycle)
            print_json(describe(lifecycle))
        else:
            _say_summary(lifecycle, brought, is_new=fresh)


@contextmanager
def when_interrupted(state: str) -> Iterator[None]:
    """What a Ctrl-C in the block leaves, for its message. Raises Failure."""
    try:
        yield
    except KeyboardInterrupt:
        raise Failure(f"interrupted; {state}", INTERRUPTED) from None


def _runs_on(lifecycle: Lifecycle) -> str:
    return f"cluster {lifecycle.config.name!r} runs on: see {lifecycle.command('status')}"


def bring_up(lifecycle: Lifecycle, wait_s: float, steps: Steps) -> str:
    """Have the cluster run with its settings; a first start that fails leaves nothing behind.

    Gives the words for what became of it: that it `is up`, or `runs already`. Raises Failure.
    """
    with when_interrupted("nothing was changed"):
        refuse_what_lost_its_data(lifecycle)
        running = lifecycle.is_running() and not lifecycle.is_old()
    try:
        return _bring_up(lifecycle, wait_s, steps, running=running)
    except KeyboardInterrupt:
        if not running:
            lifecycle.stop()
        raise Failure(_interrupted(lifecycle, running=running), INTERRUPTED) from None


def _bring_up(lifecycle: Lifecycle, wait_s: float, steps: Steps, *, running: bool) -> str:
    fresh = not lifecycle.exists()
    if fresh and lifecycle.config.is_simulated and "runtime" not in lifecycle.spelling:
        steps.tell(
            f"Nodes and pods are simulated, no container runs ({default_runtime()[1]}); "
            f"for real ones: wherry up --runtime containerd, {as_root()}"
        )
    if lifecycle.note:
        steps.tell(lifecycle.note)
    if idle := lifecycle.without_effect():
        names = ", ".join(spell(lifecycle.spelling, attribute) for attribute in idle)
        steps.tell(f"{names}: no effect, as cluster {lifecycle.config.name!r} has simulated nodes only")
    theirs = user_kubeconfig(os.environ, find_caller(os.environ))
    try:  # nothing is made yet, so nothing is to be taken back
        if running:
            changed = {
                attribute for found in lifecycle.outdated(lifecycle.written()).values() for attribute in found
            }
            _refuse(find_problems_of_change(lifecycle.setup, changed))
        else:
            if lifecycle.is_old():
                with steps.step(f"Converting {lifecycle.config.context}"):
                    lifecycle.convert()
            with steps.step("Checking this machine"):
                _refuse(find_problems(lifecycle.setup, lifecycle.spelling))
        lifecycle.check_data_directory()
        theirs.read()
        theirs.check_place()
    except (StartFailed, KubeconfigError) as error:
        raise Failure(str(error), BAD_SETTING) from None
    try:
        if running:
            return _keep_up(lifecycle, theirs, wait_s, steps)
        with steps.step("Keys and certificates"):
            identities = lifecycle.prepare()
            lifecycle.merge_kubeconfig(identities, theirs)
        with steps.step(f"Starting {lifecycle.config.context}"):
            lifecycle.start_supervisor()
            lifecycle.wait_ready(wait_s, _tell_exits(steps))
    except NothingMade as error:
        raise Failure(str(error), FAILED) from None
    except NotReadyInTime as error:
        raise Failure(str(error), NOT_READY) from None
    except (StartFailed, KubeconfigError, OSError) as error:
        if not running:
            lifecycle.stop()
        if fresh:
            with suppress(KubeconfigError):  # it may be what failed: nothing of ours is in it then
                lifecycle.forget_kubeconfig(theirs)
            lifecycle.delete()
        raise Failure(about_files(error) if isinstance(error, OSError) else str(error), FAILED) from None
    return "is up"


def _keep_up(lifecycle: Lifecycle, theirs: UserKubeconfig, wait_s: float, steps: Steps) -> str:
    """Have a cluster that runs go by its settings, and be ready."""
    was_ready = lifecycle.is_ready()
    going, before = lifecycle.going_nodes(), lifecycle.written()
    lifecycle.merge_kubeconfig(lifecycle.prepare(), theirs)
    lifecycle.start_supervisor()
    outdated = lifecycle.outdated(before)
    for component, changed in outdated.items():
        names = ", ".join(spell(lifecycle.spelling, attribute) for attribute in changed)
        becomes = what_becomes_of_pods(going if component == SERVER else 0)
        steps.tell(f"The {component} is started again with another {names}; {becomes}")
    lifecycle.apply_settings(before)
    if was_ready and not outdated:
        lifecycle.wait_ready(wait_s, _tell_exits(steps))
        return "runs already"
    with steps.step(f"Waiting for {lifecycle.config.context}"):
        lifecycle.wait_ready(wait_s, _tell_exits(steps))
        if lifecycle.outdated():  # one that was starting has read what was there earlier still
            lifecycle.apply_settings()
            lifecycle.wait_ready(wait_s, _tell_exits(steps))
    return "is up"


def what_becomes_of_pods(going: int | None) -> str:
    """In words, when a component is started again and so many simulated nodes go; None: nobody knows."""
    if going == 0:
        return "pods go on running"
    many = "1 simulated node goes" if going == 1 else f"{going} simulated nodes go"
    if going is None:
        many = "simulated nodes that are not asked for any more go"
    return f"{many}, and the pods on them end; others go on running"


def _interrupted(lifecycle: Lifecycle, *, running: bool) -> str:
    """What state an interrupted `up` left the cluster in, and what to do."""
    name = lifecycle.config.name
    if running:
        return f"interrupted; {_runs_on(lifecycle)}"
    if lifecycle.exists():
        return (
            f"interrupted; cluster {name!r} is made and stopped: go on with {lifecycle.command('start')}, "
            f"or take it away with {lifecycle.command('delete')}"
        )
    with suppress(OSError):  # one that was there, and in which nothing is, does no harm
        lifecycle.paths.data.rmdir()
    return "interrupted; nothing was made"


def start_at_boot(lifecycle: Lifecycle) -> str:
    """Have a cluster that runs started at boot; in one line, how that stands."""
    boot = lifecycle.boot
    if os.geteuid() != 0 or not boot.is_possible():
        why = "no systemd" if os.geteuid() == 0 else "only root's clusters are"
        command = shlex.join(start_command(lifecycle.config.name, lifecycle.paths))
        return f"not started ({why}); with cron: @reboot {command}"
    try:
        boot.install(os.environ)
    except BootFailure as error:
        return f"not started: {error}"
    return f"started by {boot.unit}"


def nodes_of(setup: Setup) -> str:
    """Which nodes there are, in words."""
    config = setup.cluster
    count = simulated_nodes(config)
    many = "1 simulated node" if count == 1 else f"{count or 'no'} simulated nodes"
    if count is None:
        many = "simulated nodes, as its files say"
    if config.is_simulated:
        return many
    real = f"node {setup.node.name} is Ready"
    return f"{real}; {many}" if config.simulated_nodes or config.simulation else real


def _tell_exits(steps: Steps) -> Callable[[States], None]:
    """Says once of each component why it ended while others wait for it."""
    told: set[tuple[str, str]] = set()

    def look(states: States) -> None:
        for state in states.values():
            exit_ = (state.name, state.last_exit)
            if state.last_exit and not state.ready and not state.failure and exit_ not in told:
                told.add(exit_)
                steps.tell(f"{state.name} ended, and is started again: {state.last_exit}")

    return look


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Failure("; ".join(problem.message for problem in problems), EXIT_CODES[problems[0].kind])


def say_boot(lifecycle: Lifecycle, *, is_new: bool) -> None:
    """Have it started at boot; what is as it was when the cluster was made is not told again."""
    told = start_at_boot(lifecycle)
    if is_new or told.startswith("not started:"):
        say(f"  At boot     {told}")


def _say_summary(lifecycle: Lifecycle, brought: str, *, is_new: bool) -> None:
    config = lifecycle.config
    say(f"Cluster {config.name} {brought}: {nodes_of(lifecycle.setup)}.")
    say(f"  API server  {config.server_url}")
    say(f"  Data        {lifecycle.paths.data}")
    theirs = user_kubeconfig(os.environ, find_caller(os.environ))
    say(f"  Context     {config.context}, in {theirs.path}")
    say_boot(lifecycle, is_new=is_new)
    for warning in lifecycle.warnings():
        say(f"  Warning     {warning}")
    say("Try next:")
    say(f"  {lifecycle.command('kubectl get pods -A')}")
    say(f"  {lifecycle.command('status')}")
