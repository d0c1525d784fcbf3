"""Signing keys: from the environment or made once, for their owner alone, and never shown in a message."""

import os
import stat
import subprocess
import sys
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gauntlet.adapters import signing_keys
from gauntlet.adapters.held_key import keys_held_back
from gauntlet.adapters.signing_keys import JUDGE, PROMOTER, SigningKeys
from gauntlet.core.errors import GauntletError, InputError, RequirementError

pytestmark = pytest.mark.unit

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NIST = ec.derive_private_key(7, ec.SECP256R1())


def _pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def _public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _raw(keys):
    return [key.public_bytes_raw() for key in keys]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for role in (JUDGE, PROMOTER):
        for name in (role.variable, role.file_variable, role.trusted_variable):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keys(tmp_path):
    return SigningKeys(tmp_path / "state" / "keys")


@pytest.fixture
def key_file(tmp_path):
    def make(content, *, name="key.pem", mode=0o600):
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return make


def test_the_two_roles_have_a_key_each(tmp_path):
    judge, promoter = SigningKeys(tmp_path), SigningKeys(tmp_path, PROMOTER)
    made = [keys.private().public_key().public_bytes_raw() for keys in (judge, promoter)]
    assert made[0] != made[1]
    assert [_raw(keys.trusted()) for keys in (judge, promoter)] == [[made[0]], [made[1]]]


def test_a_key_is_made_once_for_its_owner_alone(keys):
    previous = os.umask(0)
    try:
        made = keys.private()
    finally:
        os.umask(previous)
    assert _raw([made.public_key()]) == _raw([keys.private().public_key()]) == _raw(keys.trusted())
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600
    assert sorted(path.name for path in keys.folder.iterdir()) == ["signing_key.pem", "signing_key.pub"]


def test_where_another_process_was_first_its_key_is_taken(keys, monkeypatch):
    first, write = [], signing_keys._write_once

    def late(path, content):
        monkeypatch.setattr(signing_keys, "_write_once", write)
        first.append(keys.private())
        write(path, content)

    monkeypatch.setattr(signing_keys, "_write_once", late)
    assert _raw([keys.private().public_key()]) == _raw([first[0].public_key()])
    assert sorted(path.name for path in keys.folder.iterdir()) == ["signing_key.pem", "signing_key.pub"]


def test_processes_at_once_end_with_one_key(keys):
    code = (
        "import sys; from pathlib import Path; from gauntlet.adapters.signing_keys import SigningKeys\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(SigningKeys(Path(sys.argv[1])).private().public_key().public_bytes_raw().hex())"
    )
    command = [sys.executable, "-c", code, str(keys.folder)]
    several = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.stdout.readline() for process in several] == ["ready\n"] * 2
    for process in several:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate()[0] for process in several}
    assert said == {f"{keys.private().public_key().public_bytes_raw().hex()}\n"}


def test_who_verifies_needs_the_public_half_only(keys):
    made = keys.private()
    assert stat.S_IMODE(keys.public_file.stat().st_mode) == 0o644
    keys.file.unlink()  # another user cannot read it
    assert _raw(keys.trusted()) == _raw([made.public_key()])


def test_the_public_half_is_written_for_a_key_of_an_older_version(keys):
    made = keys.private()
    keys.public_file.unlink()
    assert _raw(keys.trusted()) == _raw([made.public_key()])
    keys.private()
    assert keys.public_file.read_bytes() == _public_pem(made)


def test_a_public_half_of_another_key_is_refused(keys):
    keys.private()
    keys.public_file.write_bytes(_public_pem(OTHER))
    with pytest.raises(InputError, match=r"signing_key.pub: is not the public half of signing_key.pem"):
        keys.trusted()


@pytest.mark.parametrize("role", [JUDGE, PROMOTER], ids=lambda role: role.signs)
def test_a_key_that_is_held_back_signs_and_is_not_inherited(tmp_path, monkeypatch, role):
    keys = SigningKeys(tmp_path, role)
    monkeypatch.setenv(role.variable, _pem(KEY).decode())
    child = [sys.executable, "-c", f"import os; print({role.variable!r} in os.environ)"]
    with keys_held_back():
        assert subprocess.run(child, capture_output=True, text=True, check=True).stdout == "False\n"
        assert _raw([keys.private().public_key()]) == _raw(keys.trusted()) == _raw([KEY.public_key()])
    assert subprocess.run(child, capture_output=True, text=True, check=True).stdout == "True\n"


def test_what_the_command_starts_does_not_inherit_a_key(tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\nenv >> {seen}\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{java.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for role in (JUDGE, PROMOTER):
        monkeypatch.setenv(role.variable, _pem(KEY).decode())
    subprocess.run([sys.executable, "-m", "gauntlet", "doctor"], capture_output=True, check=False, cwd=tmp_path)
    assert "PATH=" in seen.read_text(encoding="utf-8")
    assert "PRIVATE KEY" not in seen.read_text(encoding="utf-8")


def test_nothing_is_made_to_prove_with(keys):
    with pytest.raises(RequirementError, match="no key to prove evidence with; set GAUNTLET_TRUSTED_KEYS"):
        keys.trusted()
    assert not keys.folder.exists()


@pytest.mark.parametrize("how", ["text", "file"])
def test_the_environments_key_comes_before_the_kept_one(keys, monkeypatch, key_file, how):
    keys.private()
    if how == "text":
        monkeypatch.setenv("GAUNTLET_SIGNING_KEY", _pem(KEY).decode())
    else:
        monkeypatch.setenv("GAUNTLET_SIGNING_KEY_FILE", str(key_file(_pem(KEY))))
    assert _raw([keys.private().public_key()]) == _raw(keys.trusted()) == _raw([KEY.public_key()])


def test_named_public_keys_are_trusted_and_no_other(keys, monkeypatch, key_file):
    keys.private()
    files = [key_file(_public_pem(key), name=name, mode=0o644) for key, name in ((KEY, "a.pem"), (OTHER, "b.pem"))]
    monkeypatch.setenv("GAUNTLET_TRUSTED_KEYS", os.pathsep.join(map(str, files)))
    assert _raw(keys.trusted()) == _raw([KEY.public_key(), OTHER.public_key()])
    monkeypatch.setenv("GAUNTLET_TRUSTED_KEYS", f"{files[1]}{os.pathsep}")
    assert _raw(keys.trusted()) == _raw([OTHER.public_key()])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o644, 0o777, 0o610])
def test_a_private_key_that_others_can_use_is_refused(keys, monkeypatch, key_file, mode):
    made = keys.private()
    keys.file.chmod(mode)
    for ask in (keys.private, keys.trusted):
        with pytest.raises(InputError, match=rf"others can use this private key \(mode {mode:04o}\).*`chmod 600`"):
            ask()
    keys.file.chmod(0o400)
    assert _raw([keys.private().public_key()]) == _raw([made.public_key()])
    monkeypatch.setenv("GAUNTLET_SIGNING_KEY_FILE", str(key_file(_pem(KEY), mode=mode)))
    with pytest.raises(InputError, match="others can use"):
        keys.private()


PRIVATE_FAULTS = {
    "nothing": (b"", "the key is empty"),
    "blanks": (b" \n", "the key is empty"),
    "no PEM": (b"secret words", "no private key in PEM"),
    "half a key": (_pem(KEY)[:60], "no private key in PEM, or not all of it"),
    "a damaged key": (_pem(KEY).replace(b"MC4CAQAw", b"MC4CAQBw"), "no private key in PEM"),
    "a public key": (_public_pem(KEY), "no private key in PEM"),
    "a passphrase": (_pem(KEY, BestAvailableEncryption(b"word")), "under a passphrase"),
    "ECDSA": (_pem(NIST), "another kind than Ed25519"),
    "X25519": (_pem(x25519.X25519PrivateKey.from_private_bytes(bytes(range(32)))), "another kind than Ed25519"),
}


@pytest.mark.parametrize(("content", "message"), PRIVATE_FAULTS.values(), ids=PRIVATE_FAULTS)
def test_a_key_that_cannot_sign_is_refused_without_showing_it(keys, monkeypatch, key_file, content, message):
    keys.folder.mkdir(parents=True)
    keys.file.write_bytes(content)
    keys.file.chmod(0o600)
    _refused(keys.private, f"signing_key.pem: .*{message}", content)
    _refused(keys.trusted, f"signing_key.pem: .*{message}", content)
    monkeypatch.setenv("GAUNTLET_SIGNING_KEY_FILE", str(key_file(content)))
    _refused(keys.private, f"key.pem: .*{message}", content)
    monkeypatch.delenv("GAUNTLET_SIGNING_KEY_FILE")
    if content.strip():
        monkeypatch.setenv("GAUNTLET_SIGNING_KEY", content.decode())
        _refused(keys.private, f"GAUNTLET_SIGNING_KEY: .*{message}", content)
    assert keys.file.read_bytes() == content


def _refused(ask, message, content):
    with pytest.raises(InputError, match=message) as caught:
        ask()
    shown = "".join(traceback.format_exception(caught.value))
    assert not [line for line in content.decode().split("\n") if line.strip() and line in shown]


@pytest.mark.parametrize("variable", ["GAUNTLET_SIGNING_KEY", "GAUNTLET_SIGNING_KEY_FILE", "GAUNTLET_TRUSTED_KEYS"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_variable_that_is_set_but_empty_is_no_wish_for_another_key(keys, monkeypatch, variable, value):
    keys.private()
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=f"{variable} is set but"):
        keys.trusted()
    if variable != "GAUNTLET_TRUSTED_KEYS":
        with pytest.raises(InputError, match=f"{variable} is set but empty"):
            keys.private()


def test_two_private_keys_at_once_are_one_too_many(keys, monkeypatch, key_file):
    monkeypatch.setenv("GAUNTLET_SIGNING_KEY", _pem(KEY).decode())
    monkeypatch.setenv("GAUNTLET_SIGNING_KEY_FILE", str(key_file(_pem(KEY))))
    with pytest.raises(InputError, match="both set; unset one"):
        keys.private()


PUBLIC_FAULTS = {
    "nothing": (b"", "no public key in PEM"),
    "half a key": (_public_pem(KEY)[:50], "no public key in PEM, or not all of it"),
    "a private key": (_pem(KEY), "this is a private key"),
    "ECDSA": (_public_pem(NIST), "another kind than Ed25519"),
}


@pytest.mark.parametrize(("content", "message"), PUBLIC_FAULTS.values(), ids=PUBLIC_FAULTS)
def test_a_public_key_that_cannot_prove_is_refused(keys, monkeypatch, key_file, content, message):
    good, bad = key_file(_public_pem(KEY)), key_file(content, name="bad.pem")
    monkeypatch.setenv("GAUNTLET_TRUSTED_KEYS", f"{good}{os.pathsep}{bad}")
    with pytest.raises(InputError, match=rf"bad\.pem: .*{message}"):
        keys.trusted()


@pytest.mark.parametrize("what", ["nothing", "folder", "pipe"])
def test_what_is_no_file_holds_no_key(keys, monkeypatch, tmp_path, what):
    path = tmp_path / "key"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    for variable, ask in (("GAUNTLET_SIGNING_KEY_FILE", keys.private), ("GAUNTLET_TRUSTED_KEYS", keys.trusted)):
        monkeypatch.setenv(variable, str(path))
        with pytest.raises(InputError, match=f"{path}: there is no such file"):
            ask()


def test_a_key_that_cannot_be_read_is_an_input_error(keys, monkeypatch, key_file):
    monkeypatch.setenv("GAUNTLET_SIGNING_KEY_FILE", str(key_file(_pem(KEY))))
    monkeypatch.setattr("pathlib.Path.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(InputError, match=r"key\.pem: the key cannot be read \(Permission denied\)"):
        keys.private()


def test_a_key_that_cannot_be_kept_is_named_with_what_to_do(keys, monkeypatch):
    keys.folder.parent.write_text("in the way")
    with pytest.raises(RequirementError, match=r"cannot be kept there.*GAUNTLET_SIGNING_KEY_FILE"):
        keys.private()
    keys.folder.parent.unlink()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(GauntletError, match="No space left on device"):
        keys.private()
    assert not list(keys.folder.iterdir())
