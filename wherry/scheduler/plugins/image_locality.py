"""ImageLocality: prefer nodes that have the pod's images already (`imagelocality/image_locality.go`).

An image counts with its size, the less the fewer nodes have it, so that not all pods go to the one that does.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import TOP_SCORE, Plugin
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.world import World

MIB = 1024 * 1024
LEAST = 23 * MIB
MOST = 1000 * MIB
"""Of each image: more of it makes no difference."""


class ImageLocality(Plugin):
    """The more of the pod's images a node has, by size, the better."""

    name = "ImageLocality"

    def prepare(self, pod: PodFacts, world: World) -> Ints | None:
        """See `Plugin.prepare`: the points of each row."""
        images = pod.template.images
        known = Counter(full for image in images if (full := full_name(image)) in world.nodes.images)
        if not known:
            return None
        nodes = len(world.nodes)
        total: Ints = np.zeros(nodes, dtype=np.int64)
        for name, times in known.items():
            sizes = world.nodes.images[name]
            for row, size in sizes.items():
                total[row] += times * int(size * (len(sizes) / nodes))
        most = MOST * len(images)
        points: Ints = TOP_SCORE * (np.clip(total, LEAST, most) - LEAST) // (most - LEAST)
        return points

    def score(self, state: Ints, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`."""
        return state[rows]


def full_name(image: str) -> str:
    """The image with the tag `latest` if it names none."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"
