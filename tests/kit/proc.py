"""A /proc on paper."""

from __future__ import annotations

from pathlib import Path


def proc_entry(proc: Path, pid: int, parent: int, arguments: list[str], state: str = "S") -> None:
    """Write down one process, started at ten times its pid."""
    (proc / str(pid)).mkdir(parents=True)
    fields = [state, str(parent), *["0"] * 17, str(pid * 10)]
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b (c) {' '.join(fields)}\n")
    (proc / str(pid) / "cmdline").write_bytes("".join(f"{word}\0" for word in arguments).encode())
