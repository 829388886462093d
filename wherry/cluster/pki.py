"""Who trusts whom: the cluster's own certificate authority and what it signs.

One ECDSA P-256 authority per cluster (`ca`) signs everybody: the API server, each node's kubelet (as
server and as client), the API server as the kubelets' client, the components and the admin. A second one
(`front-proxy-ca`) signs the API server as extension servers' front proxy and nobody else, for whoever it
signs is believed when it says whom it asks for. A leaf is for servers or for clients, never both. Keys are
0600, directories 0700. Leaves live a year and are signed anew at a start that finds less than a quarter of
that left, or another name, use or authority in them: a cluster of an older version gets what it should have.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wherry.cluster.leaves import CLUSTER_AUTHORITY, KeyPair, Subject
from wherry.kit.named_files import named

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = LEAF_LIFE / 4
PASSING_LIFE = timedelta(days=36500)
"""Of keys that are gone with their process: its tests may let years pass."""
CLOCK_SKEW = timedelta(minutes=5)


class Pki:
    """The keys and certificates in one directory, made when missing.

    Unless it `lasts` longer than the process, nothing waits for the disk.
    """

    def __init__(self, directory: Path, now: datetime, *, lasts: bool = True) -> None:
        self._directory = directory
        self._now = now
        self._lasts = lasts
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def authority(self) -> KeyPair:
        """The cluster's authority, `ca.crt` and `ca.key`."""
        return self.authority_called(CLUSTER_AUTHORITY)

    def authority_called(self, file_stem: str) -> KeyPair:
        """The authority `file_stem`.crt and `file_stem`.key, made if missing."""
        pair = self._pair(file_stem)
        if not (pair.cert.exists() and pair.key.exists()):
            self._make_authority(pair)
        return pair

    def leaf(self, file_stem: str, subject: Subject) -> KeyPair:
        """The certificate `file_stem`.crt for `subject`, signed now if missing, stale or for other names."""
        pair = self._pair(file_stem)
        if not self._is_current(pair, subject):
            self._sign(pair, subject)
        return pair

    def current_until(self, pair: KeyPair) -> datetime:
        """When a leaf is to be signed anew."""
        certificate = x509.load_pem_x509_certificate(pair.cert.read_bytes())
        return certificate.not_valid_after_utc - RENEW_BEFORE

    def signing_key(self, file_stem: str) -> Path:
        """A bare ECDSA P-256 private key (`file_stem`.key), for signing service-account tokens."""
        path = self._directory / f"{file_stem}.key"
        if not path.exists():
            self._write(path, _pem_key(ec.generate_private_key(ec.SECP256R1())))
        return path

    def _pair(self, file_stem: str) -> KeyPair:
        return KeyPair(self._directory / f"{file_stem}.crt", self._directory / f"{file_stem}.key")

    def _make_authority(self, pair: KeyPair) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        made = f"wherry-{pair.cert.stem}@{int(self._now.timestamp())}"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, made)])
        certificate = (
            self._builder(name, name, key.public_key(), self._life(AUTHORITY_LIFE))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._write(pair.key, _pem_key(key))
        self._write(pair.cert, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def _sign(self, pair: KeyPair, subject: Subject) -> None:
        authority = self.authority_called(subject.authority)
        ca_cert = x509.load_pem_x509_certificate(authority.cert.read_bytes())
        ca_key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{authority.key}: not an ECDSA key; remove the pki directory to make a new one")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_name(subject), ca_cert.subject, key.public_key(), self._life(LEAF_LIFE))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_usage(subject)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    ca_cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
                ),
                critical=False,
            )
        )
        if subject.hosts:
            names = x509.SubjectAlternativeName(_general_names(subject.hosts))
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(ca_key, hashes.SHA256())
        self._write(pair.key, _pem_key(key))
        self._write(pair.cert, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def _life(self, life: timedelta) -> timedelta:
        return life if self._lasts else PASSING_LIFE

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - CLOCK_SKEW)
            .not_valid_after(self._now + life)
        )

    def _write(self, path: Path, content: bytes, mode: int = 0o600) -> None:
        """Put the file there whole or not at all, so that a crash leaves no half key."""
        with named(path):
            self._write_whole(path, content, mode)

    def _write_whole(self, path: Path, content: bytes, mode: int) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                if self._lasts:
                    os.fsync(file.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _is_current(self, pair: KeyPair, subject: Subject) -> bool:
        if not (pair.cert.exists() and pair.key.exists()):
            return False
        certificate = x509.load_pem_x509_certificate(pair.cert.read_bytes())
        if self._now > certificate.not_valid_after_utc - RENEW_BEFORE:
            return False
        if certificate.subject != _name(subject):
            return False
        if not self._is_signed(certificate, subject.authority):
            return False
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if list(usages) != [_usage(subject)]:
            return False
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = list(extension.value)
        except x509.ExtensionNotFound:
            names = []
        return set(names) == set(_general_names(subject.hosts))

    def _is_signed(self, certificate: x509.Certificate, authority: str) -> bool:
        signer = x509.load_pem_x509_certificate(self.authority_called(authority).cert.read_bytes())
        try:
            certificate.verify_directly_issued_by(signer)
        except (ValueError, InvalidSignature):
            return False
        return True


def _usage(subject: Subject) -> x509.ObjectIdentifier:
    return ExtendedKeyUsageOID.SERVER_AUTH if subject.hosts else ExtendedKeyUsageOID.CLIENT_AUTH


def _name(subject: Subject) -> x509.Name:
    organizations = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in subject.organizations
    ]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])


def _general_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not sign_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
