"""The envelope of evidence: one form of bytes, and no byte of it may differ."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.core.canonical import canonical_json
from gauntlet.core.envelope import PAYLOAD_TYPE, key_id, open_envelope, pae, seal
from gauntlet.core.errors import EvidenceError

pytestmark = pytest.mark.unit

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = (KEY.public_key(),)
PAYLOAD = {"gate": "größe", "value": 0.1, "none": None}
SEALED = seal(PAYLOAD, KEY)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _signed(body, *, key=KEY, payload_type=PAYLOAD_TYPE, **changes):
    """An envelope around any bytes, with a good signature over them."""
    signature = {"keyid": key_id(key.public_key()), "sig": _base64(key.sign(pae(payload_type, body)))}
    envelope = {"payload": _base64(body), "payloadType": payload_type, "signatures": [signature]}
    return _written({**envelope, **changes})


def _written(envelope):
    return canonical_json(envelope).encode("utf-8") + b"\n"


def _base64(content):
    return base64.b64encode(content).decode("ascii")


def _envelope():
    return json.loads(SEALED)


def _with_signature(**changes):
    envelope = _envelope()
    envelope["signatures"][0].update(changes)
    return _written(envelope)


def test_the_encoding_that_is_signed_is_the_protocols():
    # The example of DSSE's protocol.md; lengths are those of bytes.
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_the_envelope_is_one_that_any_reader_of_the_protocol_can_prove():
    envelope = _envelope()
    body, (signature,) = base64.b64decode(envelope["payload"]), envelope["signatures"]
    preimage = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(body) + body
    KEY.public_key().verify(base64.b64decode(signature["sig"]), preimage)
    assert json.loads(body) == PAYLOAD
    assert signature["keyid"] == "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"


@settings(deadline=None)
@given(st.dictionaries(st.text(), _json, max_size=4))
def test_gives_back_what_was_sealed_and_seals_it_the_same_again(payload):
    sealed = seal(payload, KEY)
    assert open_envelope(sealed, trusted=(OTHER.public_key(), *TRUSTED)) == payload
    assert seal(open_envelope(sealed, trusted=TRUSTED), KEY) == sealed


def test_every_byte_that_differs_is_refused():
    for position in range(len(SEALED)):
        head, byte, tail = SEALED[:position], SEALED[position], SEALED[position + 1 :]
        changed = [head + bytes([byte ^ mask]) + tail for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255)]
        for content in (*changed, head + tail, head + bytes([byte, byte]) + tail, head):
            with pytest.raises(EvidenceError):
                open_envelope(content, trusted=TRUSTED)
    assert open_envelope(SEALED, trusted=TRUSTED) == PAYLOAD


def _doubled_field():
    return SEALED.replace(b'{"payload"', b'{"payload":"","payload"', 1)


def _last_character_with_spare_bits():
    text = _envelope()["signatures"][0]["sig"]  # 64 bytes: "==" at the end, and four bits that mean nothing
    spare = text[:-3] + chr(ord(text[-3]) + 1) + "=="
    assert base64.b64decode(spare) == base64.b64decode(text)
    return _with_signature(sig=spare)


@pytest.mark.parametrize(
    "content",
    {
        "spaces": json.dumps(_envelope(), sort_keys=True).encode() + b"\n",
        "order of keys": json.dumps(dict(reversed(_envelope().items())), separators=(",", ":")).encode() + b"\n",
        "escapes": SEALED.replace(b"payloadType", b"payload\\u0054ype"),
        "a field twice": _doubled_field(),
        "no line feed": SEALED[:-1],
        "two line feeds": SEALED + b"\n",
        "bytes behind": SEALED + b"{}",
        "a byte order mark": b"\xef\xbb\xbf" + SEALED,
        "UTF-16": SEALED.decode().encode("utf-16"),
        "unpadded base64": _with_signature(sig=_envelope()["signatures"][0]["sig"].rstrip("=")),
        "more padding": _with_signature(sig=_envelope()["signatures"][0]["sig"] + "===="),
        "broken lines of base64": _with_signature(sig=_envelope()["signatures"][0]["sig"] + "\n"),
        "spare bits of base64": _last_character_with_spare_bits(),
        "the other alphabet": _written(
            {**_envelope(), "payload": base64.urlsafe_b64encode(b'{"a":"\xc3\xbf?>"}').decode()}
        ),
    }.items(),
    ids=lambda item: item[0],
)
def test_the_same_content_in_another_form_is_refused(content):
    assert content[1] != SEALED
    with pytest.raises(EvidenceError):
        open_envelope(content[1], trusted=TRUSTED)


FAULTS = {
    "no JSON": (b"{", "the envelope is not JSON"),
    "nothing": (b"", "the envelope is not JSON"),
    "nested without end": (b"[" * 100_000, "the envelope is not JSON"),
    "NaN": (b'{"payload":NaN}\n', "the envelope is not JSON"),
    "half a character": (b'{"payload":"\\ud800"}\n', "the envelope is not JSON"),
    "a list": (b"[]\n", "the envelope is not a JSON object"),
    "another form": (SEALED + b" ", "one form"),
    "a field more": (_written({**_envelope(), "key": "mine"}), "unknown fields: key"),
    "a field less": (_written({"payload": "", "payloadType": PAYLOAD_TYPE}), "unknown fields: signatures"),
    "another type": (_signed(b"{}", payload_type="application/json"), "holds 'application/json'"),
    "no base64": (_written({**_envelope(), "payload": "*"}), "payload is not base64"),
    "a number as payload": (_written({**_envelope(), "payload": 1}), "payload is not base64"),
    "other base64": (_last_character_with_spare_bits(), "signature is base64 in another form"),
    "no signatures": (_signed(b"{}", signatures=[]), "no signature"),
    "signatures of another kind": (_signed(b"{}", signatures={"sig": ""}), "no signature"),
    "two signatures": (_signed(b"{}", signatures=_envelope()["signatures"] * 2), "2 signatures"),
    "a key inside": (_with_signature(key="x"), "keyid and sig"),
    "an unknown key": (seal(PAYLOAD, OTHER), "none of the trusted ones"),
    "a list as key": (_with_signature(keyid=[]), "none of the trusted ones"),
    "another's signature under the key's name": (
        _with_signature(sig=json.loads(seal(PAYLOAD, OTHER))["signatures"][0]["sig"]),
        "signature is not that of the key",
    ),
    "a signature of another payload": (
        _signed(b"{}", signatures=_envelope()["signatures"]),
        "signature is not that of the key",
    ),
    "a signature of the bare payload": (
        _with_signature(sig=_base64(KEY.sign(canonical_json(PAYLOAD).encode()))),
        "signature is not that of the key",
    ),
    "half a signature": (_with_signature(sig=_base64(bytes(32))), "signature is not that of the key"),
    "a payload that is no JSON": (_signed(b"x"), "the signed payload is not JSON"),
    "a payload that is no object": (_signed(b"1"), "the signed payload is not a JSON object"),
    "a payload in another form": (_signed(b'{"b":1,"a":1}'), "the signed payload is not canonical"),
    "a payload with a field twice": (_signed(b'{"a":1,"a":1}'), "the signed payload is not canonical"),
}


@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_refused_with_its_own_message(content, message):
    with pytest.raises(EvidenceError, match=message):
        open_envelope(content, trusted=TRUSTED)


def test_without_a_trusted_key_nothing_is_opened():
    with pytest.raises(EvidenceError, match="no key is trusted"):
        open_envelope(SEALED, trusted=())
    with pytest.raises(EvidenceError, match="none of the trusted ones"):
        open_envelope(SEALED, trusted=(OTHER.public_key(),))


def test_what_json_cannot_say_is_not_sealed():
    with pytest.raises(ValueError, match="JSON"):
        seal({"auc": float("nan")}, KEY)
