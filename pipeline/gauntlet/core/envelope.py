"""This module provides the signed envelope of evidence: DSSE with Ed25519, and one form of bytes only.

The protocol is DSSE 1.0 (https://github.com/secure-systems-lab/dsse, ``protocol.md`` and ``envelope.md``). Where it
lets a reader be lenient (two alphabets of base64, any spacing, several signatures, unknown fields), this one takes the
one form that it writes itself, so that every changed byte is refused. No key is ever taken from an envelope: its
``keyid`` only picks one of the trusted keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gauntlet.core.canonical import canonical_json
from gauntlet.core.errors import EvidenceError

PAYLOAD_TYPE = "application/vnd.in-toto+json"

_FIELDS = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE_FIELDS = frozenset({"keyid", "sig"})


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: the bytes that are signed, the type's and the payload's lengths first.

    Args:
        payload_type: What the payload is.
        payload: Its bytes.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: Ed25519PublicKey) -> str:
    """Return a key's name: the SHA-256 (hexadecimal) of its 32 raw bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def seal(payload: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return a signed envelope: canonical JSON and one line feed.

    Args:
        payload: What is signed, as its canonical JSON.
        key: The key that signs.

    Raises:
        ValueError: If the payload holds NaN or an infinity.
    """
    body = canonical_json(payload).encode("utf-8")
    signature = key.sign(pae(PAYLOAD_TYPE, body))
    return _canonical_bytes(
        {
            "payload": _base64(body),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key_id(key.public_key()), "sig": _base64(signature)}],
        }
    )


def signed(body: bytes, key: Ed25519PrivateKey, *, payload_type: str) -> str:
    """Return a signature that is kept apart from what it signs: the key's name, a colon, and the signature in base64.

    Args:
        body: What is signed.
        key: The key that signs.
        payload_type: What the body is, so that no signature of one thing counts for another.
    """
    return f"{key_id(key.public_key())}:{_base64(key.sign(pae(payload_type, body)))}"


def require_signature(signature: str, body: bytes, *, payload_type: str, trusted: Collection[Ed25519PublicKey]) -> None:
    """Make sure that a signature is a trusted key's over a body.

    Args:
        signature: As ``signed`` returns it.
        body: What was signed.
        payload_type: What the body is.
        trusted: The keys, one of which must have signed.

    Raises:
        EvidenceError: If it is not.
    """
    name, _, encoded = signature.partition(":")
    _require_key(name, encoded, pae(payload_type, body), trusted)


def open_envelope(content: bytes, *, trusted: Collection[Ed25519PublicKey]) -> dict[str, Any]:
    """Return what an envelope holds, once its signature is proven to be a trusted key's.

    Args:
        content: The envelope's bytes, as ``seal`` returns them.
        trusted: The keys, one of which must have signed.

    Raises:
        EvidenceError: If a byte of the envelope differs from what was sealed, or no trusted key sealed it.
    """
    envelope = _parsed(content, "the envelope")
    if _canonical_bytes(envelope) != content:
        raise EvidenceError("the envelope is not written in its one form (canonical JSON and a line feed)")
    if set(envelope) != _FIELDS:
        names = ", ".join(sorted(_FIELDS ^ set(envelope)))
        raise EvidenceError(f"the envelope has missing or unknown fields: {names}")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise EvidenceError(f"the envelope holds {envelope['payloadType']!r}, not {PAYLOAD_TYPE}")
    body = _bytes_of(envelope["payload"], "payload")
    _require_signed(body, envelope["signatures"], trusted)
    payload = _parsed(body, "the signed payload")
    if canonical_json(payload).encode("utf-8") != body:
        raise EvidenceError("the signed payload is not canonical JSON")
    return payload


def _require_signed(body: bytes, signatures: Any, trusted: Collection[Ed25519PublicKey]) -> None:
    if not isinstance(signatures, list) or not signatures:
        raise EvidenceError("the envelope holds no signature")
    if len(signatures) > 1:
        raise EvidenceError(f"the envelope holds {len(signatures)} signatures; exactly one is expected")
    signature = signatures[0]
    if not isinstance(signature, dict) or set(signature) != _SIGNATURE_FIELDS:
        raise EvidenceError("the envelope's signature does not consist of keyid and sig")
    _require_key(signature["keyid"], signature["sig"], pae(PAYLOAD_TYPE, body), trusted)


def _require_key(name: Any, encoded: Any, content: bytes, trusted: Collection[Ed25519PublicKey]) -> None:
    if not trusted:
        raise EvidenceError("no key is trusted, so no signature proves anything")
    keys = {key_id(key): key for key in trusted}
    if not isinstance(name, str) or name not in keys:
        raise EvidenceError(
            f"it was signed with the key {name!r:.80}, which is none of the trusted ones: {', '.join(sorted(keys))}"
        )
    try:
        keys[name].verify(_bytes_of(encoded, "signature"), content)
    except InvalidSignature as error:
        raise EvidenceError(f"the signature is not that of the key {name} over this payload") from error


def _parsed(content: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object that has a canonical form."""
    try:
        value = json.loads(content.decode("utf-8"))
        canonical_json(value).encode("utf-8")  # fails on NaN, infinities and half characters, which json reads
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{what} is not JSON") from error
    if not isinstance(value, dict):
        raise EvidenceError(f"{what} is not a JSON object")
    return value


def _canonical_bytes(envelope: Mapping[str, Any]) -> bytes:
    return canonical_json(envelope).encode("utf-8") + b"\n"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes_of(text: Any, what: str) -> bytes:
    """Return the bytes of standard base64 with padding; other spellings of the same bytes are refused."""
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise EvidenceError(f"the {what} is not base64") from error
    if _base64(content) != text:
        raise EvidenceError(f"the {what} is base64 in another form than the one that is written")
    return content
