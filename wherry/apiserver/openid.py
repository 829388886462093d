"""OpenID discovery of the service-account issuer: how others verify the tokens this server signs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.apiserver.authentication.service_accounts import SigningKeys, TokenIssuer

KEY_SET_TYPE = "application/jwk-set+json"


def configuration(tokens: TokenIssuer, base_url: str) -> Object:
    """The provider configuration."""
    algorithms = sorted({algorithm for algorithm, _ in tokens.keys.public().values()})
    return {
        "issuer": tokens.issuer,
        "jwks_uri": f"{base_url}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
    }


def key_set(keys: SigningKeys) -> Object:
    """The public keys as a JWK set."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    found = []
    for kid, (algorithm, key) in keys.public().items():
        entry: Object = {"use": "sig", "kid": kid, "alg": algorithm}
        if isinstance(key, EllipticCurvePublicKey):
            size = (key.curve.key_size + 7) // 8
            numbers = key.public_numbers()
            entry |= {"kty": "EC", "crv": f"P-{key.curve.key_size}"}
            entry |= {"x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        elif isinstance(key, RSAPublicKey):
            public = key.public_numbers()
            entry |= {"kty": "RSA"}
            entry |= {
                part: _number(n, (n.bit_length() + 7) // 8) for part, n in (("n", public.n), ("e", public.e))
            }
        found.append(entry)
    return {"keys": found}


def _number(number: int, size: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode()
