"""The flags of leader election, the same for every component that has it.

Source: k8s.io/component-base/config/options (BindLeaderElectionFlags).
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable
from functools import partial
from random import Random

from wherry.client.api import Client
from wherry.client.election import Elected, ElectionConfig, LeaderElection, Part
from wherry.client.events import EventRecorder
from wherry.cluster.alone.flags import DURATION, SWITCH, Flag, FlagError, Values
from wherry.cluster.alone.healthz import Check, answering_health
from wherry.cluster.alone.process import begun, lead_lost
from wherry.cluster.components import announce
from wherry.kit.clock import Clock

LOCKS = ("leases",)
TOLERATED_S = 20.0
"""How long a leader is called well whose lease ran out (NewLeaderHealthzAdaptor of upstream's components)."""


def election_flags(name: str) -> tuple[Flag, ...]:
    """The flags of a component whose lease is called `name`."""
    return (
        Flag("leader-elect", "Whether to work only while leading: one of several does.", SWITCH, "true"),
        Flag("leader-elect-lease-duration", "How long others wait for a silent leader.", DURATION, "15s"),
        Flag("leader-elect-renew-deadline", "How long a leader tries to renew its lease.", DURATION, "10s"),
        Flag("leader-elect-retry-period", "How often to try to get or renew the lease.", DURATION, "2s"),
        Flag("leader-elect-resource-lock", "What the lock is; leases alone.", default="leases"),
        Flag("leader-elect-resource-name", "The name of the lease.", default=name),
        Flag("leader-elect-resource-namespace", "Its namespace.", default="kube-system"),
    )


def election_config(values: Values) -> ElectionConfig:
    """What the flags say. Raises FlagError."""
    lock = values.text("leader-elect-resource-lock")
    if lock not in LOCKS:
        raise FlagError(f"--leader-elect-resource-lock: {lock!r} is gone from upstream too; use leases")
    try:
        return ElectionConfig(
            name=values.text("leader-elect-resource-name"),
            namespace=values.text("leader-elect-resource-namespace"),
            # As upstream's: two processes of one host must not take each other for the same.
            identity=f"{socket.gethostname()}_{uuid.uuid4()}",
            duration_s=values.seconds("leader-elect-lease-duration"),
            renew_deadline_s=values.seconds("leader-elect-renew-deadline"),
            retry_s=values.seconds("leader-elect-retry-period"),
        )
    except ValueError as error:
        raise FlagError(f"--leader-elect-...: {error}") from None


async def run_elected(
    values: Values,
    client: Client,
    clock: Clock,
    random: Random,
    make: Callable[[], Part],
    events: EventRecorder,
    stop: asyncio.Event,
) -> None:
    """Run the part `make` gives until `stop` is set, only while leading if the flags say so.

    It answers for its health meanwhile; `events` and `client` are closed at the end. Raises FlagError,
    PermanentError.
    """
    try:
        build, check = _elected(values, client, clock, random, make, events)
        async with answering_health(values, {"leaderElection": check}):
            part = build()  # nothing is there to be closed where health cannot be answered
            if await begun(part.start(), stop):
                announce()
                await stop.wait()
            await part.close()
    finally:
        await events.close()
        await client.close()


def _elected(
    values: Values,
    client: Client,
    clock: Clock,
    random: Random,
    make: Callable[[], Part],
    events: EventRecorder,
) -> tuple[Callable[[], Part], Check]:
    """What makes the part, and what says whether it leads as it should."""
    if not values.is_on("leader-elect"):
        return make, str
    election = LeaderElection(client, clock, random, election_config(values), events)
    return partial(Elected, election, make, lead_lost), partial(election.stale_lead, TOLERATED_S)
