"""The exact calls logind and systemd are asked with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.shutdown.fake_logind import LOGIND_PATH, MANAGER, FakeLogind
from wherry.kubelet.shutdown.logind import Logind

LOGIND = "org.freedesktop.login1"
GET = (LOGIND, LOGIND_PATH, "org.freedesktop.DBus.Properties.Get")
MATCH = (
    "org.freedesktop.DBus",
    "/org/freedesktop/DBus",
    "org.freedesktop.DBus.AddMatch",
    [f"type='signal',interface='{MANAGER}',member='PrepareForShutdown',path='{LOGIND_PATH}'"],
)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[tuple[FakeLogind, Logind]]:
    fake = FakeLogind(tmp_path / "bus", override_dir=tmp_path / "logind.conf.d")
    logind = Logind(fake.address, tmp_path / "logind.conf.d")
    try:
        yield fake, logind
    finally:
        await logind.close()
        fake.close()


async def test_every_call(bus: tuple[FakeLogind, Logind], tmp_path: Path) -> None:
    fake, logind = bus
    await logind.connect()
    assert await logind.delay_s() == 5.0
    await logind.set_delay(30.0)
    assert await logind.delay_s() == 30.0
    override = tmp_path / "logind.conf.d" / "99-kubelet.conf"
    assert override.read_text() == "# Kubelet logind override\n[Login]\nInhibitDelayMaxSec=30\n"
    await logind.hold()
    assert not await logind.is_preparing()
    assert fake.calls == [
        MATCH,
        (*GET, [MANAGER, "InhibitDelayMaxUSec"]),
        (
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager.KillUnit",
            ["systemd-logind.service", "all", 1],
        ),
        (*GET, [MANAGER, "InhibitDelayMaxUSec"]),
        (
            LOGIND,
            LOGIND_PATH,
            f"{MANAGER}.Inhibit",
            ["shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay"],
        ),
        (*GET, [MANAGER, "PreparingForShutdown"]),
    ]
    assert fake.held == 1
    fake.prepare(True)
    assert await logind.change() is True
    logind.release()
    await eventually(lambda: fake.held == 0)
    fake.prepare(False)
    assert await logind.change() is False
    fake.drop()
    with pytest.raises(ConnectionError, match="the connection ended"):
        await logind.change()


async def test_it_can_be_connected_again(bus: tuple[FakeLogind, Logind]) -> None:
    fake, logind = bus
    for _ in range(2):
        await logind.connect()
        await logind.hold()
        assert fake.held == 1
        fake.drop()
        with pytest.raises(ConnectionError):
            await logind.change()


async def test_without_a_bus(tmp_path: Path) -> None:
    logind = Logind(f"unix:path={tmp_path}/none", tmp_path)
    with pytest.raises(OSError, match=r"No such file|none"):
        await logind.connect()
    with pytest.raises(ConnectionError, match="not connected"):
        await logind.hold()
    await logind.close()
