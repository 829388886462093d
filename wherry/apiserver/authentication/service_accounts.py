"""Service-account tokens: JWTs this server signs (`TokenIssuer`) and recognizes (`TokenVerifier`).

A token names its service account and, when bound, its pod, with their uids. Signatures are checked
once per token; that what it names still exists is checked at every use, against the cachers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.apiserver.cacher import Cached
from wherry.apiserver.registry import Registry, Served
from wherry.apiserver.user import User, service_account_user
from wherry.kit.clock import Clock
from wherry.kit.remembered import Recent
from wherry.objects import legacy_tokens
from wherry.objects.errors import show_value
from wherry.objects.meta import Object, labels_of, parse_time, uid_of
from wherry.objects.uids import new_uid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

PRIVATE_CLAIM = "kubernetes.io"
LEEWAY_S = 60.0
MARKED_INVALID = (
    "the token in secret {} has been marked invalid. Use tokens from the TokenRequest API or manually "
    f"created secret-based tokens, or remove the '{legacy_tokens.INVALID_SINCE}' label from the secret to "
    "temporarily allow use of this token"
)
REMEMBERED_B = 32 * 1024 * 1024
LONGEST_REMEMBERED = 8 * 1024
"""Characters of a token that is remembered; the signature of a longer one is checked each time."""
CLAIMS_GROWTH, KNOWN_B = 11, 2048
"""A token and what is known of it take so many bytes for each of its characters, and so many besides."""
MOST_SHOWN = 100
POD_NAME, POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
NODE_NAME, NODE_UID = "authentication.kubernetes.io/node-name", "authentication.kubernetes.io/node-uid"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
BOUND_KINDS: Mapping[str, Resource] = {"pod": PODS, "secret": SECRETS, "node": NODES}


class TokenRefused(Exception):
    """The token is one of ours, or looks like it, but is no good; says why."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An object a token lives and dies with; `kind` is "pod", "secret" or "node"."""

    kind: str
    name: str
    uid: str


class SigningKeys:
    """The key tokens are signed with, and all public keys they are recognized by."""

    def __init__(self, private_file: Path, public_files: Sequence[Path] = ()) -> None:
        self._private_file = private_file
        self._public_files = public_files
        self._public: dict[str, tuple[str, PublicKeyTypes]] | None = None
        self._private: Any = None
        self._kid = ""

    def _load(self) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        private = load_pem_private_key(self._private_file.read_bytes(), None)
        public = {}
        for key in (private.public_key(), *(_public_key(file.read_bytes()) for file in self._public_files)):
            public[key_id(key)] = (_algorithm(key), key)
        self._private, self._public = private, public
        self._kid = key_id(private.public_key())

    def sign(self, claims: Object) -> str:
        """A compact JWS of `claims`."""
        import jwt

        if self._private is None:
            self._load()
        algorithm = _algorithm(self._private.public_key())
        return jwt.encode(claims, self._private, algorithm=algorithm, headers={"kid": self._kid, "typ": None})

    def public(self) -> Mapping[str, tuple[str, PublicKeyTypes]]:
        """Algorithm and public key by key id."""
        if self._public is None:
            self._load()
        return self._public or {}


def _public_key(pem: bytes) -> PublicKeyTypes:
    """The key in a file that holds it, or a certificate for it (client-go, keyutil.PublicKeysFromFile)."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    if b"BEGIN CERTIFICATE" in pem:
        return load_pem_x509_certificate(pem).public_key()
    return load_pem_public_key(pem)


def key_id(key: PublicKeyTypes) -> str:
    """The id of a public key, as upstream computes it: the hash of its DER form."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _algorithm(key: PublicKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        return "RS256"
    if isinstance(key, EllipticCurvePublicKey):
        return {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]
    raise ValueError("service account keys must be RSA or EC keys")


class TokenIssuer:
    """Makes tokens."""

    def __init__(self, keys: SigningKeys, issuer: str, clock: Clock, rng: random.Random) -> None:
        self.keys = keys
        self.issuer = issuer
        self._clock = clock
        self._random = rng

    def issue(
        self, account: Object, audiences: Sequence[str], lifetime_s: int, bound: Sequence[Bound] = ()
    ) -> tuple[str, int]:
        """A token for a stored ServiceAccount, and when it ends (seconds since the epoch)."""
        meta = account["metadata"]
        now = int(self._clock.now().timestamp())
        private: dict[str, Any] = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        for item in bound:
            private[item.kind] = {"name": item.name, "uid": item.uid}
        claims = {
            "aud": list(audiences),
            "exp": now + lifetime_s,
            "iat": now,
            "iss": self.issuer,
            "jti": new_uid(self._random),
            PRIVATE_CLAIM: private,
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return self.keys.sign(claims), now + lifetime_s


@dataclass(frozen=True, slots=True)
class _Witness:
    """A version of an object a token was found good by; `expires` when the object is being deleted."""

    served: Served
    cached: Cached
    expires: bool

    @property
    def stands(self) -> bool:
        """Whether looking at the object again would find the same."""
        cached = self.cached
        is_ready = self.served.source.is_ready
        return is_ready and not self.expires and self.served.cacher.get(cached.key) is cached


class _Known:
    """What is known of a token whose signature was checked: no request checks it again.

    Nor does it read the objects the token names, as long as they are the versions read before.
    """

    __slots__ = ("audiences", "claims", "user", "witnesses")

    def __init__(self, claims: Object) -> None:
        self.claims = claims
        self.audiences = frozenset(claims["aud"])
        self.user: User | None = None
        self.witnesses: tuple[_Witness, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether the user is still who it was found to be."""
        for witness in self.witnesses:  # noqa: SIM110 - asked with each request, where a generator costs most
            if not witness.stands:
                return False
        return True


class TokenVerifier:
    """Recognizes tokens."""

    def __init__(
        self,
        keys: SigningKeys,
        issuers: Sequence[str],
        clock: Clock,
        registry: Registry,
        own_audiences: Sequence[str],
    ) -> None:
        self._keys = keys
        self._issuers = frozenset(issuers)
        self._own_audiences = list(own_audiences)  # of tokens that name none
        self._clock = clock
        self._registry = registry
        self._known: Recent[str, _Known] = Recent(REMEMBERED_B)
        self.used: Callable[[Cached], None] | None = None
        """Told the Secret of a legacy token that is used."""

    def verify(self, token: str, audiences: Iterable[str]) -> tuple[User, list[str]] | None:
        """The token's user and which of `audiences` it is for; None when it is not one of ours.

        Raises TokenRefused when it is ours but expired, for others, or what it names is gone.
        """
        known = self._known.get(token)
        if known is None:
            found = self._read(token)
            if found is None:
                return None
            known = _Known(found)
            if len(token) <= LONGEST_REMEMBERED:
                self._known.put(token, known, len(token) * CLAIMS_GROWTH + KNOWN_B)
        claims = known.claims
        now = self._clock.now().timestamp()
        if now > claims["exp"] or now + LEEWAY_S < claims["nbf"]:
            raise TokenRefused("service account token has expired or is not valid yet")
        wanted = list(audiences)
        shared = [audience for audience in wanted if audience in known.audiences]
        if not shared:
            raise TokenRefused(
                f"token audiences {_shown(claims['aud'])} is invalid for the target audiences "
                f"{_shown(wanted)}"
            )
        if known.user is None or not known.stands:
            known.user, known.witnesses = self._user(claims)
        if self.used is not None and claims["exp"] == math.inf:
            for witness in known.witnesses:
                if witness.served.resource is SECRETS:
                    self.used(witness.cached)
        return known.user, shared

    def _read(self, token: str) -> Object | None:
        if token.count(".") != 2:
            return None
        try:
            payload = token.split(".")[1]
            issuer = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("iss")
        except (ValueError, AttributeError):
            return None
        if issuer != legacy_tokens.ISSUER and issuer not in self._issuers:
            return None
        import jwt

        required = ["sub"] if issuer == legacy_tokens.ISSUER else ["exp", "nbf", "aud", "sub", PRIVATE_CLAIM]

        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
            algorithm, key = self._keys.public()[kid]
            claims: Object = jwt.decode(
                token,
                key,  # type: ignore[arg-type]
                algorithms=[algorithm],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "require": required,
                },
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise TokenRefused(f"invalid token: {error}") from error
        if issuer == legacy_tokens.ISSUER:
            return self._modern(claims, token)
        if isinstance(claims["aud"], str):
            claims["aud"] = [claims["aud"]]
        return claims

    def _modern(self, claims: Object, token: str) -> Object:
        """A legacy token's claims as if it were bound to its Secret, and good for this server for ever."""
        try:
            namespace, name, uid, secret = legacy_tokens.read_legacy_claims(claims)
        except ValueError as error:
            raise TokenRefused(f"invalid token: {error}") from None
        private = {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": uid},
            "secret": {"name": secret, "token": token},
        }
        return {"aud": self._own_audiences, "exp": math.inf, "nbf": 0, PRIVATE_CLAIM: private}

    def _user(self, claims: Object) -> tuple[User, tuple[_Witness, ...]]:
        """The user, and what it rests on. Raises TokenRefused when something of that is gone."""
        private = claims[PRIVATE_CLAIM]
        namespace, account = private["namespace"], private["serviceaccount"]
        witnesses = [self._check(SERVICE_ACCOUNTS, namespace, account)]
        extra: dict[str, tuple[str, ...]] = {}
        if jti := claims.get("jti"):
            extra[CREDENTIAL_ID] = (f"JTI={jti}",)
        for kind, resource in BOUND_KINDS.items():
            named = private.get(kind)
            if named is None:
                continue
            if kind != "node" or "pod" not in private:
                witnesses.append(self._check(resource, namespace if resource.namespaced else "", named))
            if kind == "pod":
                extra[POD_NAME], extra[POD_UID] = (named["name"],), (named["uid"],)
            elif kind == "node":
                extra[NODE_NAME], extra[NODE_UID] = (named["name"],), (named["uid"],)
        return service_account_user(namespace, account["name"], account["uid"], extra), tuple(witnesses)

    def _check(self, resource: Resource, namespace: str, named: Object) -> _Witness:
        served = self._registry.of(resource)
        cached = served.get(namespace, named["name"]) if served.source.is_ready else None
        obj = cached.decode() if cached is not None else None
        if cached is None or obj is None or not _is_named(obj, named):
            raise TokenRefused(f'{resource.singular} "{named["name"]}" of the token is gone')
        deleted = obj["metadata"].get("deletionTimestamp")
        if deleted and (self._clock.now() - parse_time(deleted)).total_seconds() > LEEWAY_S:
            raise TokenRefused(f'{resource.singular} "{named["name"]}" of the token has been deleted')
        if "token" in named and legacy_tokens.INVALID_SINCE in labels_of(obj):
            if self.used is not None:
                self.used(cached)
            raise TokenRefused(MARKED_INVALID.format(f"{namespace}/{named['name']}"))
        return _Witness(served, cached, expires=bool(deleted))


def _shown(audiences: Sequence[str]) -> str:
    """Audiences as Go's %q shows them, the first of them."""
    more = " ..." if len(audiences) > MOST_SHOWN else ""
    return f"[{' '.join(map(show_value, audiences[:MOST_SHOWN]))}{more}]"


def _is_named(obj: Object, named: Object) -> bool:
    """Whether this is the very object a claim names: by uid, a legacy token's Secret by holding the token."""
    if "token" not in named:
        uid: str = named["uid"]
        return uid_of(obj) == uid
    held: bytes = ((obj.get("data") or {}).get("token") or "").encode()
    return hmac.compare_digest(held, base64.b64encode(named["token"].encode()))
