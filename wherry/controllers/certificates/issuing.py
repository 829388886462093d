"""Making a certificate for what a request asks for, signed by a certificate authority.

A module of its own: the library that does it is loaded for the first signature.

Source: pkg/controller/certificates/authority (PermissiveSigningPolicy), staging/src/k8s.io/client-go/util/
certificate/csr.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from wherry.controllers.certificates.authority import CertificateAuthority, NoAuthority
from wherry.controllers.certificates.requests import alternative_names

BACKDATED = timedelta(minutes=5)
"""Certificates are valid since a little while ago: others' clocks may be behind."""
SHORT = timedelta(hours=8)
"""Shorter ones than this end as late as was asked; longer ones that little while earlier."""
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED_USAGES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}


def issue(
    authority: CertificateAuthority,
    request: x509.CertificateSigningRequest,
    usages: frozenset[str],
    life: timedelta,
    now: datetime,
) -> bytes:
    """See `CertificateAuthority.sign`."""
    try:
        issuer = x509.load_pem_x509_certificate(authority.cert_file.read_bytes())
        key = serialization.load_pem_private_key(authority.key_file.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise NoAuthority(f"the cluster's authority cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise NoAuthority(f"{authority.key_file}: neither an RSA nor an ECDSA key")
    ends = min(now + life - (BACKDATED if life >= SHORT else timedelta()), issuer.not_valid_after_utc)
    if issuer.not_valid_after_utc <= now:
        text = f"the signer has expired: NotAfter={issuer.not_valid_after_utc:%Y-%m-%d %H:%M:%S +0000 UTC}"
        raise NoAuthority(text)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(issuer.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    named = {name for usage, name in _KEY_USAGES.items() if usage in usages}
    if named:
        builder = builder.add_extension(_key_usage(named), critical=True)
    extended = [oid for usage, oid in _EXTENDED_USAGES.items() if usage in usages]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(dict.fromkeys(extended))), critical=False)
    if names := alternative_names(request):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(_issuer_key(issuer), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_usage(named: set[str]) -> x509.KeyUsage:
    agrees = "key_agreement" in named
    usages = {name: name in named for name in _KEY_USAGES.values()}
    # What only qualifies key agreement cannot be said without it.
    return x509.KeyUsage(
        **{
            **usages,
            "encipher_only": agrees and "encipher_only" in named,
            "decipher_only": agrees and "decipher_only" in named,
        }
    )


def _issuer_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)
    except x509.ExtensionNotFound:
        public = issuer.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise NoAuthority("the authority's certificate has neither an RSA nor an ECDSA key") from None
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
