"""Random ends of names, as upstream's apimachinery makes them (pkg/util/rand): no vowels, nothing alike."""

from __future__ import annotations

import random

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LENGTH = 5


def random_suffix(choose: random.Random) -> str:
    """Five characters that may end any name."""
    return "".join(choose.choices(ALPHABET, k=LENGTH))
