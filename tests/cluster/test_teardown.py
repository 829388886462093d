"""Deleting a cluster deletes nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster import teardown


def test_data_with_something_mounted_in_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = tmp_path / "kubelet" / "pods" / "u" / "volume-subpaths"
    monkeypatch.setattr(teardown, "mounts_below", lambda _: [bound])
    with pytest.raises(OSError, match=f"{bound} is still mounted"):
        teardown.check_deletable(tmp_path)
    monkeypatch.setattr(teardown, "mounts_below", lambda _: [])
    teardown.check_deletable(tmp_path)
