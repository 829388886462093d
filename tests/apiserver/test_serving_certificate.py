"""The serving certificate is that of the files as they are: a new one is shown within a minute."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

from tests.apiserver.rig import Rig, files, running
from tests.conftest import eventually
from wherry.apiserver.app import CERTIFICATE_LOOKED_AT_S
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import FakeClock


def shown(rig: Rig) -> bytes:
    """The certificate a client is shown, in DER."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", rig.server.port), timeout=60) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


async def test_a_certificate_that_is_replaced_is_shown(tmp_path: Path) -> None:
    cert, key = tmp_path / "server.crt", tmp_path / "server.key"
    shutil.copy(files().server.cert, cert)
    shutil.copy(files().server.key, key)
    subject = Subject(common_name="new", hosts=("localhost",))
    other = Pki(tmp_path / "other", datetime.now(UTC)).leaf("new", subject)
    clock = FakeClock()
    async with running(clock, tls_cert_file=cert, tls_key_file=key) as rig:
        loop = asyncio.get_running_loop()
        before = await loop.run_in_executor(None, shown, rig)
        assert before == ssl.PEM_cert_to_DER_cert(cert.read_text())
        shutil.copy(other.cert, cert)  # the key is still the old one's
        await clock.advance(CERTIFICATE_LOOKED_AT_S)
        assert await loop.run_in_executor(None, shown, rig) == before
        shutil.copy(other.key, key)
        wanted = ssl.PEM_cert_to_DER_cert(other.cert.read_text())

        async def is_new() -> bool:
            await clock.advance(CERTIFICATE_LOOKED_AT_S)
            return await loop.run_in_executor(None, shown, rig) == wanted

        await eventually(is_new)
