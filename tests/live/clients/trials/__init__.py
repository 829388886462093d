"""What is tried of kubectl, command by command, and the explicit list of it all.

A trial is a function that raises AssertionError when the command does not do its work; its docstring
says in the compatibility table what was tried.
"""

from __future__ import annotations

from tests.live.clients.trials.access import ACCESS
from tests.live.clients.trials.base import Trial
from tests.live.clients.trials.changing import CHANGING
from tests.live.clients.trials.creating import CREATING
from tests.live.clients.trials.looking import LOOKING
from tests.live.clients.trials.nodes import NODES
from tests.live.clients.trials.pods import PODS
from tests.live.clients.trials.rollouts import ROLLOUTS

TRIALS: tuple[Trial, ...] = tuple(
    sorted(
        (*LOOKING, *CREATING, *CHANGING, *ROLLOUTS, *PODS, *NODES, *ACCESS),
        key=lambda trial: trial.command,
    )
)
