"""Which frames of a failed test are shown."""

from __future__ import annotations

import pytest

from wherry.objects.errors import ApiError, not_found
from wherry.testing.frames import shown

REFUSED: ApiError = not_found("pods", "", "p")
CALL = [
    "wherry.testing.cluster",
    "wherry.testing.loop_thread",
    "concurrent.futures._base",
    "wherry.apiserver.front",
]


@pytest.mark.parametrize(
    ("modules", "error", "kept"),
    [
        (["test_it", *CALL], REFUSED, ["test_it"]),
        (["asyncio.runners", "test_it", *CALL], REFUSED, ["asyncio.runners", "test_it"]),
        (["test_it", *CALL, "test_it"], KeyError("a"), ["test_it", "test_it"]),
        (
            ["test_it", *CALL, "test_it", "json.decoder"],
            KeyError("a"),
            ["test_it", "test_it", "json.decoder"],
        ),
        (["test_it", *CALL], KeyError("a"), ["test_it", *CALL]),
        (["test_it", *CALL], ValueError("a"), ["test_it", *CALL]),
        (["test_it", *CALL, "wherry.testing.waiting"], ValueError("write it as kind/name"), ["test_it"]),
        (
            ["_pytest.python", "pluggy._callers", *CALL],
            REFUSED,
            ["_pytest.python", "pluggy._callers", CALL[0]],
        ),
        (["test_it", "wherry.apiserver.front"], REFUSED, ["test_it", "wherry.apiserver.front"]),
    ],
)
def test_frames(modules: list[str], error: BaseException, kept: list[str]) -> None:
    is_shown = shown(modules, error)
    assert [module for module, one in zip(modules, is_shown, strict=True) if one] == kept
