"""Which frames of a failed test are shown: the test's own, not those of how a cluster came to its answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence

CLUSTER = "wherry.testing."
RUNNERS = ("_pytest", "pluggy")


def shown(modules: Sequence[str], error: BaseException) -> list[bool]:
    """For each frame, by its module and outermost first, whether it is shown.

    Hidden is what a cluster does when it is called, but not what it calls of the test's (a condition, say).
    All are shown when the error is no answer of Wherry's, and came up inside it: somebody has to find that.
    """
    is_inside, is_shown = False, []
    for module in modules:
        top = module.partition(".")[0]
        if module.startswith(CLUSTER):
            is_inside = True
        elif top != "wherry" and top not in sys.stdlib_module_names:
            is_inside = False
        is_shown.append(not is_inside)
    if is_inside and not _is_answer(error, modules[-1]):
        return [True] * len(modules)
    if all(
        module.partition(".")[0] in RUNNERS for module, one in zip(modules, is_shown, strict=True) if one
    ):  # in a fixture of the plug-in: without any frame of it nothing would say where
        is_shown[is_shown.index(False)] = True
    return is_shown


def _is_answer(error: BaseException, raised_in: str) -> bool:
    """Whether it tells the test what is wrong: an error of Wherry's own, or an argument that was refused."""
    is_refused = isinstance(error, ValueError) and raised_in.startswith(CLUSTER)
    is_of_file = isinstance(error, OSError) and bool(error.filename) and raised_in.startswith("wherry.")
    return is_refused or is_of_file or type(error).__module__.startswith("wherry.")
