"""How far a rolling update may go above and below the wanted number of pods."""

from __future__ import annotations

from wherry.objects.intstr import resolve


def resolve_fenceposts(max_surge: int | str, max_unavailable: int | str, desired: int) -> tuple[int, int]:
    """(surge, unavailable) in pods: surge is rounded up, unavailable down.

    Both zero would make no progress (percentages of few pods can come to that), so then one pod may
    be unavailable. Raises ValueError for text that is no percentage.
    """
    surge = resolve(max_surge, desired, round_up=True)
    unavailable = resolve(max_unavailable, desired, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable
