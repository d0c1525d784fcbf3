"""This module provides the keys that sign and prove, from the environment or from a file made once.

There are two roles, and neither needs the private key of the other: the judge signs evidence, the promoter signs the
entries of the promotion ledger.

``GAUNTLET_SIGNING_KEY``, ``GAUNTLET_PROMOTION_KEY``
    The private key itself (Ed25519, PEM), as a CI system keeps secrets.
``GAUNTLET_SIGNING_KEY_FILE``, ``GAUNTLET_PROMOTION_KEY_FILE``
    The path of a file that holds it.
``GAUNTLET_TRUSTED_KEYS``, ``GAUNTLET_TRUSTED_PROMOTERS``
    The paths of public keys (PEM), separated as in ``PATH``. Signatures are taken from these alone; by default from the
    public half of the private key, which lies beside a key that was made here as ``signing_key.pub`` or
    ``promotion_key.pub``.

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

from gauntlet.adapters.held_key import JUDGE_VARIABLE, PROMOTER_VARIABLE, key_text
from gauntlet.core.errors import InputError, RequirementError

_MAXIMUM_BYTES = 1 << 16
_NEW_KEY = "make one with `openssl genpkey -algorithm ed25519`"


@dataclass(frozen=True)
class KeyRole:
    """What a key signs, and where it is looked for.

    Attributes:
        signs: What it signs, in words.
        stem: The name of the file of a key that is made here, without its suffix.
        variable: The variable of the environment that holds the private key.
        file_variable: The variable that names its file.
        trusted_variable: The variable that names files of public keys.
    """

    signs: str
    stem: str
    variable: str
    file_variable: str
    trusted_variable: str


JUDGE = KeyRole(
    signs="evidence",
    stem="signing_key",
    variable=JUDGE_VARIABLE,
    file_variable="GAUNTLET_SIGNING_KEY_FILE",
    trusted_variable="GAUNTLET_TRUSTED_KEYS",
)
PROMOTER = KeyRole(
    signs="promotions",
    stem="promotion_key",
    variable=PROMOTER_VARIABLE,
    file_variable="GAUNTLET_PROMOTION_KEY_FILE",
    trusted_variable="GAUNTLET_TRUSTED_PROMOTERS",
)


@dataclass(frozen=True)
class SigningKeys:
    """Where the keys of one role come from.

    Attributes:
        folder: Holds the key of this machine, where the environment gives none.
        role: What the keys sign.
    """

    folder: Path
    role: KeyRole = JUDGE

    @property
    def file(self) -> Path:
        """The file of this machine's own key."""
        return self.folder / f"{self.role.stem}.pem"

    @property
    def public_file(self) -> Path:
        """The file of its public half, which anybody may read."""
        return self.folder / f"{self.role.stem}.pub"

    def private(self) -> Ed25519PrivateKey:
        """Return the key that signs; this machine's own is made the first time that it is asked for, in two files.

        Raises:
            InputError: If the key cannot be used, or others can read its file.
            RequirementError: If a key cannot be written.
        """
        return self._given() or self._published(self._kept() or self._made())

    def trusted(self) -> tuple[Ed25519PublicKey, ...]:
        """Return the keys whose signatures count; none is ever made here.

        Raises:
            InputError: If a key cannot be used.
            RequirementError: If there is none.
        """
        variable = self.role.trusted_variable
        configured = os.environ.get(variable)
        if configured is None:
            return (self._own(),)
        paths = [Path(part) for part in configured.split(os.pathsep) if part.strip()]
        if not paths:
            raise InputError(f"{variable} is set but names no file; unset it, or name public keys")
        return tuple(self._public(path) for path in paths)

    def _own(self) -> Ed25519PublicKey:
        """Return the public half of the key that would sign here; its private half need not be readable.

        Raises:
            InputError: If the two files are no pair.
            RequirementError: If there is no key.
        """
        if (given := self._given()) is not None:
            return given.public_key()
        published = self._public(self.public_file) if self.public_file.is_file() else None
        if published is not None and not os.access(self.file, os.R_OK):
            return published
        kept = self._kept()
        if kept is None:
            raise RequirementError(
                f"{self.file}: there is no key to prove {self.role.signs} with; set {self.role.trusted_variable} to "
                "the public key of whoever signed (`openssl pkey -in KEY -pubout` writes it)"
            )
        if published is not None and published.public_bytes_raw() != kept.public_key().public_bytes_raw():
            raise InputError(f"{self.public_file}: is not the public half of {self.file.name}; find out who changed it")
        return kept.public_key()

    def _given(self) -> Ed25519PrivateKey | None:
        """Return the environment's key. A variable that is set but empty is a secret that did not arrive."""
        role = self.role
        text, name = key_text(role.variable), os.environ.get(role.file_variable)
        if text is not None and name is not None:
            raise InputError(f"{role.variable} and {role.file_variable} are both set; unset one of them")
        for variable, value in ((role.variable, text), (role.file_variable, name)):
            if value is not None and not value.strip():
                raise InputError(f"{variable} is set but empty; give the key there, or unset the variable")
        if text is not None:
            return _private(text.encode("utf-8", "surrogateescape"), role.variable)
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
                f"{self.file}: a key to sign {self.role.signs} with cannot be kept there ({error.strerror or error}); "
                f"set {self.role.file_variable} to a file with a key ({_NEW_KEY})"
            ) from error
        return _private(_secret(self.file), str(self.file))

    def _public(self, path: Path) -> Ed25519PublicKey:
        content, _ = _read(path)
        if b"PRIVATE KEY" in content:
            raise InputError(
                f"{path}: this is a private key; {self.role.trusted_variable} takes public ones (openssl pkey -pubout)"
            )
        try:
            key = load_pem_public_key(content)
        except (ValueError, UnsupportedAlgorithm):
            raise InputError(f"{path}: this is no public key in PEM, or not all of it") from None
        if not isinstance(key, Ed25519PublicKey):
            raise InputError(f"{path}: the public key is of another kind than Ed25519")
        return key


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
