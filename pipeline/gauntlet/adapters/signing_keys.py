"""This module provides the keys that sign and prove evidence, from the environment or from a file made once.

``GAUNTLET_SIGNING_KEY``
    The private key itself (Ed25519, PEM), as a CI system keeps secrets.
``GAUNTLET_SIGNING_KEY_FILE``
    The path of a file that holds it.
``GAUNTLET_TRUSTED_KEYS``
    The paths of public keys (PEM), separated as in ``PATH``. Evidence is taken from these alone; by default from the
    public half of the private key, which lies beside a key that was made here as ``signing_key.pub``.

Only signing needs the private key: whoever verifies can be another user, and may have the state folder to read only.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gauntlet.adapters.held_key import KEY_VARIABLE, key_text
from gauntlet.core.errors import InputError, RequirementError

KEY_FILE_VARIABLE = "GAUNTLET_SIGNING_KEY_FILE"
TRUSTED_VARIABLE = "GAUNTLET_TRUSTED_KEYS"

_MAXIMUM_BYTES = 1 << 16
_NEW_KEY = "make one with `openssl genpkey -algorithm ed25519`"


@dataclass(frozen=True)
class SigningKeys:
    """Where the keys come from.

    Attributes:
        folder: Holds the key of this machine, ``signing_key.pem``, where the environment gives none.
    """

    folder: Path

    @property
    def file(self) -> Path:
        """The file of this machine's own key."""
        return self.folder / "signing_key.pem"

    @property
    def public_file(self) -> Path:
        """The file of its public half, which anybody may read."""
        return self.folder / "signing_key.pub"

    def private(self) -> Ed25519PrivateKey:
        """Return the key that signs; this machine's own is made the first time that it is asked for, in two files.

        Raises:
            InputError: If the key cannot be used, or others can read its file.
            RequirementError: If a key cannot be written.
        """
        return self._given() or self._published(self._kept() or self._made())

    def trusted(self) -> tuple[Ed25519PublicKey, ...]:
        """Return the keys that evidence may be signed with; none is ever made here.

        Raises:
            InputError: If a key cannot be used.
            RequirementError: If there is none.
        """
        configured = os.environ.get(TRUSTED_VARIABLE)
        if configured is None:
            return (self._own(),)
        paths = [Path(part) for part in configured.split(os.pathsep) if part.strip()]
        if not paths:
            raise InputError(f"{TRUSTED_VARIABLE} is set but names no file; unset it, or name public keys")
        return tuple(_public(path) for path in paths)

    def _own(self) -> Ed25519PublicKey:
        """Return the public half of the key that would sign here; its private half need not be readable.

        Raises:
            InputError: If the two files are no pair.
            RequirementError: If there is no key.
        """
        if (given := self._given()) is not None:
            return given.public_key()
        published = _public(self.public_file) if self.public_file.is_file() else None
        if published is not None and not os.access(self.file, os.R_OK):
            return published
        kept = self._kept()
        if kept is None:
            raise RequirementError(
                f"{self.file}: there is no key to prove evidence with; set {TRUSTED_VARIABLE} to the public key of "
                "whoever signed it (`openssl pkey -in KEY -pubout` writes it)"
            )
        if published is not None and published.public_bytes_raw() != kept.public_key().public_bytes_raw():
            raise InputError(f"{self.public_file}: is not the public half of {self.file.name}; find out who changed it")
        return kept.public_key()

    def _given(self) -> Ed25519PrivateKey | None:
        """Return the environment's key. A variable that is set but empty is a secret that did not arrive."""
        text, name = key_text(), os.environ.get(KEY_FILE_VARIABLE)
        if text is not None and name is not None:
            raise InputError(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set; unset one of them")
        for variable, value in ((KEY_VARIABLE, text), (KEY_FILE_VARIABLE, name)):
            if value is not None and not value.strip():
                raise InputError(f"{variable} is set but empty; give the key there, or unset the variable")
        if text is not None:
            return _private(text.encode("utf-8", "surrogateescape"), KEY_VARIABLE)
        return None if name is None else _private(_secret(Path(name)), name)

    def _kept(self) -> Ed25519PrivateKey | None:
        return _private(_secret(self.file), str(self.file)) if os.path.lexists(self.file) else None

    def _published(self, key: Ed25519PrivateKey) -> Ed25519PrivateKey:
        """Return a kept key, once its public half lies beside it."""
        if not self.public_file.exists():
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            try:
                _write_once(self.public_file, public, mode=0o644)
            except OSError as error:
                raise RequirementError(f"{self.public_file}: cannot be written ({error.strerror or error})") from error
        return key

    def _made(self) -> Ed25519PrivateKey:
        """Make this machine's key; of several processes at once one makes it, and all go on with that one."""
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_once(self.file, pem)
        except OSError as error:
            raise RequirementError(
                f"{self.file}: a key to sign evidence with cannot be kept there ({error.strerror or error}); "
                f"set {KEY_FILE_VARIABLE} to a file with a key ({_NEW_KEY})"
            ) from error
        return _private(_secret(self.file), str(self.file))


def _write_once(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole, by default for its owner alone, unless it is there already.

    A link to a name that exists fails, as opening it exclusively would; unlike that, nobody ever sees half a file.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # opened exclusively, mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)


def _secret(path: Path) -> bytes:
    """Return the content of a file that nobody but its owner can use."""
    content, mode = _read(path)
    if mode & 0o077:
        raise InputError(
            f"{path}: others can use this private key (mode {mode:04o}); make a new one if somebody may have, and "
            "`chmod 600` the file"
        )
    return content


def _read(path: Path) -> tuple[bytes, int]:
    """Return a file's content and its mode; both are of one file, whoever renames others meanwhile."""
    if not path.is_file():  # a pipe would make us wait
        raise InputError(f"{path}: there is no such file, so there is no key")
    try:
        with path.open("rb") as stream:
            return stream.read(_MAXIMUM_BYTES), stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
    except OSError as error:
        raise InputError(f"{path}: the key cannot be read ({error.strerror or error})") from error


def _private(content: bytes, where: str) -> Ed25519PrivateKey:
    """Return a private key. What a library says of bytes that are none is left out, for it may quote them."""
    if not content.strip():
        raise InputError(f"{where}: the key is empty; {_NEW_KEY}")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise InputError(f"{where}: the key is kept under a passphrase, which nobody can be asked for") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{where}: this is no private key in PEM, or not all of it; {_NEW_KEY}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{where}: the key is of another kind than Ed25519; {_NEW_KEY}")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    content, _ = _read(path)
    if b"PRIVATE KEY" in content:
        raise InputError(f"{path}: this is a private key; {TRUSTED_VARIABLE} takes public ones (openssl pkey -pubout)")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path}: this is no public key in PEM, or not all of it") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: the public key is of another kind than Ed25519")
    return key
