"""Serving with the certificate that lies on the disk now, also when it was replaced meanwhile.

Connections under way keep what they began with (upstream's `dynamiccertificates`).
"""

from __future__ import annotations

import ssl
from pathlib import Path


class ServedCertificate:
    """The certificate and key (PEM files) a TLS context shows.

    Raises OSError (ssl.SSLError among them) when they cannot be used.
    """

    def __init__(self, context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
        self._context = context
        self._files = (cert_file, key_file)
        self._loaded = self._stamps()
        context.load_cert_chain(cert_file, key_file)

    def reload(self) -> bool:
        """Take what lies there now, if it changed; whether it had.

        Raises OSError while the two do not fit each other, being replaced just now; the context then
        keeps what it has.
        """
        stamps = self._stamps()
        if stamps == self._loaded:
            return False
        # Tried first: a context that is given a certificate with another's key has none afterwards.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
        self._context.load_cert_chain(*self._files)
        self._loaded = stamps
        return True

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        found = [file.stat() for file in self._files]
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in found)
