"""The cluster that pages make by `wherry up --runtime simulated --nodes N`, in a test."""

from __future__ import annotations

import re

from wherry.hollow.machines import NodeTemplate
from wherry.testing import Cluster

COMMAND = re.compile(r"wherry up --runtime simulated --nodes (\d+)")


def as_told(page: str) -> Cluster:
    """What the page's command makes: as many nodes, with the names that `wherry up` gives them."""
    [count] = {int(found) for found in COMMAND.findall(page)}
    return Cluster(nodes=count, node_template=NodeTemplate())
