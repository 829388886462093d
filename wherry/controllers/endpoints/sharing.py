"""Sharing endpoints out among zones by the processors each has. Pure.

No endpoint is to bear more than a fifth more than its share; where that cannot be, there are no hints at all.
Slices that need no change keep the hints they have. Source: staging/src/k8s.io/endpointslice/topologycache
(AddHints, getAllocations, redistributeHints).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wherry.objects.meta import Object

OVERLOAD = 0.2
NO_NODES = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
TOO_FEW = "Insufficient number of endpoints"
TOO_UNEVEN = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
NO_ZONE = "One or more endpoints do not have a zone specified"


@dataclass(frozen=True, slots=True)
class _Allocation:
    least: int
    most: int
    wanted: float


@dataclass(slots=True)
class Shared:
    """`slices` with their hints: those that were to be written, then those that are to be now, too.

    `counts` are the endpoints meant for each zone; without any, `problem` says why.
    """

    slices: list[Object]
    counts: Counter[str] = field(default_factory=Counter)
    problem: str = ""


def share_out(
    written: Sequence[Object], others: Sequence[Object], shares: Mapping[str, float] | None
) -> Shared:
    """Give hints to all endpoints of one family: in slices that are `written` anyway, and in the `others`."""
    ready = sum(is_ready(entry) for piece in (*written, *others) for entry in piece.get("endpoints") or ())
    if shares is None:
        return _without(written, others, NO_NODES)
    size = f"({ready} endpoints, {len(shares)} zones)"
    if len(shares) > ready:
        return _without(written, others, f"{TOO_FEW} {size}")
    allocations = _allocate(ready, shares)
    if allocations is None:
        return _without(written, others, f"{TOO_UNEVEN} {size}")
    changed, counts = list(written), Counter[str]()
    for piece in others:
        hinted = _hinted(piece, counts, allocations)
        if hinted is None:
            changed.append(piece)
        else:
            counts += hinted
    entries = [entry for piece in changed for entry in piece.get("endpoints") or () if is_ready(entry)]
    if any(not entry.get("zone") for entry in entries):
        return _without(written, others, NO_ZONE)
    counts += Counter(entry["zone"] for entry in entries)
    giving, taking = _moves(allocations, counts)
    shared = Shared([], counts)
    shared.slices = [{**piece, "endpoints": _meant(piece, giving, taking, counts)} for piece in changed]
    return shared


def is_overloaded(counts: Mapping[str, int], shares: Mapping[str, float] | None) -> bool:
    """Whether a zone has too few of the endpoints that were shared out like this."""
    if not counts:
        return False
    if shares is None:
        return True
    total = sum(counts.values())
    return any(counts.get(zone, 0) < _least(total * share) for zone, share in shares.items())


def is_ready(entry: Object) -> bool:
    """Whether the entry of a slice gets traffic."""
    return bool((entry.get("conditions") or {}).get("ready"))


def _without(written: Sequence[Object], others: Sequence[Object], problem: str) -> Shared:
    hinted = [p for p in others if any(entry.get("hints") for entry in p.get("endpoints") or ())]
    return Shared(
        [
            {**piece, "endpoints": [_plain(entry) for entry in piece.get("endpoints") or ()]}
            for piece in (*written, *hinted)
        ],
        problem=problem,
    )


def _plain(entry: Object) -> Object:
    return {name: value for name, value in entry.items() if name != "hints"}


def _least(wanted: float) -> int:
    return math.ceil(wanted / (1 + OVERLOAD))


def _allocate(ready: int, shares: Mapping[str, float]) -> dict[str, _Allocation] | None:
    """How many endpoints each zone is to have; None when not all can have their least."""
    least = {zone: _least(share * ready) for zone, share in shares.items()}
    spare = ready - sum(least.values())
    if spare < 0:
        return None
    return {
        zone: _Allocation(least[zone], least[zone] + spare, max(share * ready, least[zone]))
        for zone, share in shares.items()
    }


def _hinted(
    piece: Object, counts: Counter[str], allocations: Mapping[str, _Allocation]
) -> Counter[str] | None:
    """The endpoints a slice means for each zone; None when it cannot stay as it is."""
    found: Counter[str] = Counter()
    for entry in piece.get("endpoints") or ():
        if not is_ready(entry):
            continue
        zones = [one["name"] for one in (entry.get("hints") or {}).get("forZones") or ()]
        if not zones or any(zone not in allocations for zone in zones):
            return None
        found.update(zones)
    if any(number + counts[zone] > allocations[zone].most for zone, number in found.items()):
        return None
    return found


def _moves(allocations: Mapping[str, _Allocation], counts: Counter[str]) -> tuple[Counter[str], Counter[str]]:
    """How many endpoints each zone gives to others, and takes from them."""
    over = {zone: counts[zone] - one.wanted for zone, one in allocations.items() if counts[zone] > one.wanted}
    under = {
        zone: one.wanted - counts[zone] for zone, one in allocations.items() if counts[zone] < one.wanted
    }
    giving, taking = Counter[str](), Counter[str]()
    while over and under:
        giver, taker = max(over, key=lambda z: over[z]), max(under, key=lambda z: under[z])
        if max(over[giver], under[taker]) < 1.0 or min(over[giver], under[taker]) < 0.5:
            break
        giving[giver] += 1
        taking[taker] += 1
        over[giver] -= 1
        under[taker] -= 1
    return giving, taking


def _meant(piece: Object, giving: Counter[str], taking: Counter[str], counts: Counter[str]) -> list[Object]:
    """The entries of a slice, each ready one for its zone or one that has too few; the counters go along."""
    entries = []
    for entry in piece.get("endpoints") or ():
        if not is_ready(entry):
            entries.append(_plain(entry))
            continue
        zone = entry["zone"]
        taker = next((name for name, number in taking.items() if number > 0), "") if giving[zone] > 0 else ""
        if taker:
            giving[zone] -= 1
            taking[taker] -= 1
            counts[zone] -= 1
            counts[taker] += 1
        entries.append({**entry, "hints": {"forZones": [{"name": taker or zone}]}})
    return entries
