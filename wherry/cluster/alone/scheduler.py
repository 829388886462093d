"""`wherry scheduler`: the scheduler alone, with kube-scheduler's flags.

Source: cmd/kube-scheduler/app (options and server.go).
"""

from __future__ import annotations

import asyncio
from random import Random, SystemRandom

from wherry.client.api import Client
from wherry.client.events import EventRecorder
from wherry.cluster.alone import access
from wherry.cluster.alone.election_flags import election_flags, run_elected
from wherry.cluster.alone.flags import Flag, FlagError, Values, idle, parse, refused
from wherry.cluster.alone.healthz import serving_flags
from wherry.cluster.alone.process import main
from wherry.cluster.catalog import SCHEDULER
from wherry.kit.clock import SystemClock
from wherry.scheduler.configuration import SchedulerConfiguration, default_configuration, read_configuration
from wherry.scheduler.facts import DEFAULT_SCHEDULER
from wherry.scheduler.scheduler import Scheduler
from wherry.scheduler.strict import ConfigurationError

PROGRAM = "kube-scheduler"
PORT = 10259
FROM_FILE = {
    "leaderElect": "leader-elect",
    "leaseDuration": "leader-elect-lease-duration",
    "renewDeadline": "leader-elect-renew-deadline",
    "retryPeriod": "leader-elect-retry-period",
    "resourceLock": "leader-elect-resource-lock",
    "resourceName": "leader-elect-resource-name",
    "resourceNamespace": "leader-elect-resource-namespace",
}
"""Fields of a file's `leaderElection`, by the flags that say the same; a flag that is given wins."""
FLAGS = (
    *access.FLAGS,
    *serving_flags(PORT),
    *election_flags(PROGRAM),
    Flag("config", "A file of kind KubeSchedulerConfiguration: profiles, leader election."),
    *idle("pod-max-in-unschedulable-pods-duration"),
    *refused("write-config-to", why="settings are not written to a file; leave the flag out"),
)


def configuration(values: Values) -> tuple[SchedulerConfiguration, Values]:
    """What `--config` says, and the flags with what it says of leader election. Raises FlagError, OSError."""
    file = values.path("config")
    if file is None:
        return default_configuration(), values
    try:
        found = read_configuration(file.read_bytes())
    except ConfigurationError as error:
        raise FlagError(f"--config: {file}: {error}") from None
    said = [
        f"--{FROM_FILE[name]}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in (found.leader_election or {}).items()
    ]
    read = parse(values.program, values.flags.values(), said)
    return found, Values(values.program, values.flags, {**read.given, **values.given})


async def run_scheduler(values: Values, stop: asyncio.Event) -> None:
    """Run until `stop` is set. Raises FlagError, PermanentError, OSError."""
    told, values = configuration(values)
    to = access.find_access(values)
    clock, random = SystemClock(), Random(SystemRandom().getrandbits(64))  # noqa: S311 - breaks ties
    client = Client(to.transport(PROGRAM), field_manager=PROGRAM)
    events = EventRecorder(client, clock, DEFAULT_SCHEDULER)

    def make() -> Scheduler:
        return Scheduler(client, clock, random, told)

    await run_elected(values, client, clock, random, make, events, stop)


def onlooker(client: Client, told: SchedulerConfiguration) -> Scheduler:
    """A scheduler to be asked, not to be started: see `Scheduler.look`."""
    return Scheduler(client, SystemClock(), Random(0), told)  # noqa: S311 - nothing is decided


if __name__ == "__main__":
    main(SCHEDULER, FLAGS, run_scheduler)
