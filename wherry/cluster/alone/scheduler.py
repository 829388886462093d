"""`wherry scheduler`: the scheduler alone, with kube-scheduler's flags.

Source: cmd/kube-scheduler/app (options and server.go).
"""

from __future__ import annotations

import asyncio
from random import Random, SystemRandom

from wherry.client.api import Client
from wherry.client.events import EventRecorder
from wherry.cluster.alone import access
from wherry.cluster.alone.election_flags import elected, election_flags
from wherry.cluster.alone.flags import Flag, Values, idle
from wherry.cluster.alone.healthz import answering_health, serving_flags
from wherry.cluster.alone.process import lead_lost, main
from wherry.cluster.catalog import SCHEDULER
from wherry.cluster.components import announce
from wherry.kit.clock import SystemClock
from wherry.scheduler.facts import DEFAULT_SCHEDULER
from wherry.scheduler.scheduler import Scheduler

PROGRAM = "kube-scheduler"
PORT = 10259
NO_PROFILES = "profiles of KubeSchedulerConfiguration are not read here; leave it out and give flags"
FLAGS = (
    *access.FLAGS,
    *serving_flags(PORT),
    *election_flags(PROGRAM),
    Flag("config", refused=NO_PROFILES),
    *idle("pod-max-in-unschedulable-pods-duration", "show-hidden-metrics-for-version"),
)


async def run_scheduler(values: Values, stop: asyncio.Event) -> None:
    """Run until `stop` is set. Raises FlagError, PermanentError, OSError."""
    to = access.find_access(values)
    clock, random = SystemClock(), Random(SystemRandom().getrandbits(64))  # noqa: S311 - breaks ties
    client = Client(to.transport(PROGRAM), field_manager=PROGRAM)
    events = EventRecorder(client, clock, DEFAULT_SCHEDULER)

    def make() -> Scheduler:
        return Scheduler(client, clock, random)

    part = elected(values, client, clock, random, make, events, lead_lost)
    async with answering_health(values, {"leaderElection": str}):
        await part.start()
        announce()
        await stop.wait()
        await part.close()
    await events.close()
    await client.close()


if __name__ == "__main__":
    main(SCHEDULER, FLAGS, run_scheduler)
