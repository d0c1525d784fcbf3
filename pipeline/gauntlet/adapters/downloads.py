"""This module provides downloads: over HTTPS, tried again where that helps, checked, and kept in a cache by digest."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from gauntlet.adapters.faults import explained
from gauntlet.adapters.origin_files import wrong_checksum
from gauntlet.core.canonical import digest, file_digest
from gauntlet.core.errors import SourceError
from gauntlet.core.hosts import is_inside, is_loopback

if TYPE_CHECKING:
    import requests

Check = Callable[[Path, str], None]

# The body of an answer is asked for anew as often as this; refused connections and busy servers have their own count.
_BODY_ATTEMPTS = 3
_RETRIES = 3
_BACKOFF_SECONDS = 0.5
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_BUSY = (429, 500, 502, 503, 504)
_CHUNK = 1 << 20
# Far beyond any table that one machine reads, so that an endless answer fills neither the disk nor the day.
_MOST_BYTES = 64 << 30
_MOST_SECONDS = 6 * 3600


def download(url: str, *, sha256: str | None, cache: Path, check: Check) -> Path:
    """Return the cached copy of what an address gives.

    A copy whose digest is promised is used without asking the network. Without a promise the network is asked first,
    and the last copy that came whole is used where it cannot be reached.

    Args:
        url: The address; plain ``http`` is accepted for this machine only.
        sha256: The promised digest of the bytes.
        cache: The folder for copies.
        check: Looks at the bytes before they enter the cache, and raises ``SourceError`` if they are not what they
            should be; it is given the file and what to call it.

    Raises:
        SourceError: If the address gives nothing, or not what was promised.
        RequirementError: If the disk is full.
    """
    _require_secure(url)
    try:
        if sha256 is not None:
            return _pinned(url, sha256=sha256, cache=cache, check=check)
        return _unpinned(url, cache=cache, check=check)
    except OSError as error:
        raise explained(error) or SourceError(
            f"{cache}: the cache cannot be used ({error.strerror or error}); set GAUNTLET_CACHE_DIR to another folder"
        ) from error


def keep(data: Iterator[bytes], *, name: str, cache: Path, most_bytes: int = _MOST_BYTES) -> Path:
    """Put bytes into the cache under their digest, all or nothing, and return where.

    Args:
        data: The bytes.
        name: What to call the copy.
        cache: The folder for copies.
        most_bytes: How many there may be.

    Raises:
        SourceError: If there are more.
    """
    with _incoming(cache) as temporary:
        _write(data, temporary, name=name, most_bytes=most_bytes)
        return _placed(temporary, name=name, cache=cache)


def cached(sha256: str, *, name: str, cache: Path) -> Path | None:
    """Return the copy in the cache that has a digest; None if there is none. A damaged one is removed."""
    copy = _place(sha256, name, cache)
    if not copy.is_file():
        return None
    if file_digest(copy) == sha256:
        return copy
    copy.unlink()
    return None


def _pinned(url: str, *, sha256: str, cache: Path, check: Check) -> Path:
    copy = cached(sha256, name=_name(url), cache=cache)
    if copy is not None:
        return copy
    with _incoming(cache) as temporary:
        _get(url, temporary)
        check(temporary, url)
        found = file_digest(temporary)
        if found != sha256:
            raise SourceError(wrong_checksum(url, found=found, expected=sha256))
        return _placed(temporary, name=_name(url), cache=cache)


def _unpinned(url: str, *, cache: Path, check: Check) -> Path:
    """Ask the network; the digest of the last copy is written beside, so that a damaged copy is never used."""
    mark = cache / "addresses" / digest(url)
    try:
        with _incoming(cache) as temporary:
            _get(url, temporary)
            check(temporary, url)
            copy = _placed(temporary, name=_name(url), cache=cache)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(copy.parent.name, encoding="utf-8")
    except SourceError:
        known = mark.read_text(encoding="utf-8").strip() if mark.is_file() else ""
        copy = _place(known, _name(url), cache)
        if not known or not copy.is_file() or file_digest(copy) != known:
            raise
    return copy


def _place(sha256: str, name: str, cache: Path) -> Path:
    return cache / "files" / sha256 / name


def _placed(temporary: Path, *, name: str, cache: Path) -> Path:
    place = _place(file_digest(temporary), name, cache)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(place)
    return place


def _name(url: str) -> str:
    """Return the last part of an address as a file's name."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", urlsplit(url).path.rsplit("/", 1)[-1]).lstrip(".") or "file"


@contextmanager
def _incoming(cache: Path) -> Iterator[Path]:
    """Give a file on the cache's disk to write into; what is left of it afterwards goes."""
    folder = cache / "files"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".incoming-")
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _write(data: Iterator[bytes], path: Path, *, name: str, most_bytes: int) -> None:
    size, end = 0, time.monotonic() + _MOST_SECONDS
    with path.open("wb") as stream:
        for chunk in data:
            size += len(chunk)
            if size > most_bytes:
                raise SourceError(f"{name}: refused, it has more than {most_bytes:,} bytes; fetch it by hand")
            if time.monotonic() > end:
                raise SourceError(f"{name}: given up after {_MOST_SECONDS // 3600} hours; fetch it by hand")
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())


def _get(url: str, path: Path) -> None:
    """Write an answer's body into a file; a body that breaks off is asked for anew."""
    import requests  # noqa: PLC0415 - a third of a second that a local folder need not pay

    with _session() as session:
        for attempt in range(_BODY_ATTEMPTS):
            try:
                with session.get(url, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS)) as answer:
                    _require_good(answer, url)
                    _write(answer.iter_content(_CHUNK), path, name=url, most_bytes=_MOST_BYTES)
                    return
            except requests.RequestException as error:
                # Connections have been tried again already; only a body that broke off is worth another time.
                broken = isinstance(
                    error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
                )
                if not broken or attempt == _BODY_ATTEMPTS - 1:
                    raise SourceError(_network_sentence(url, error, path)) from error
                time.sleep(_BACKOFF_SECONDS * 2**attempt)


def _session() -> requests.Session:
    import requests  # noqa: PLC0415 - see above
    from requests.adapters import HTTPAdapter  # noqa: PLC0415
    from urllib3.util import Retry  # noqa: PLC0415

    retry = Retry(
        total=_RETRIES,
        connect=1,  # with the network off there is no use in waiting
        read=_RETRIES,
        status=_RETRIES,
        backoff_factor=_BACKOFF_SECONDS,
        status_forcelist=_BUSY,
        allowed_methods={"GET"},
        raise_on_status=False,
    )
    session = requests.Session()
    # Compressed transfer would hide the true length, by which a truncated body is known.
    session.headers["Accept-Encoding"] = "identity"
    session.hooks["response"].append(_check_redirect)
    session.mount("https://", HTTPAdapter(max_retries=retry))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session


def _check_redirect(answer: requests.Response, **_: object) -> None:
    """Refuse to be led away from HTTPS, or from the outside to the inside, before the next address is asked."""
    if answer.is_redirect:
        target = urljoin(answer.url, answer.headers["location"])
        _require_secure(target)
        if is_inside(urlsplit(target).hostname) and not is_inside(urlsplit(answer.url).hostname):
            raise SourceError(
                f"{answer.url}: refused, because it leads on to {target}, which is no public address; name that "
                "address in the problem file if it is meant"
            )


def _require_good(answer: requests.Response, url: str) -> None:
    if answer.status_code == 404:
        raise SourceError(f"{url}: there is no such file (404)")
    if answer.status_code != 200:
        raise SourceError(f"{url}: the server answers {answer.status_code} {answer.reason}")


def _require_secure(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return
    raise SourceError(f"{url}: refused, because only https:// is safe from changes on the way")


def _network_sentence(url: str, error: requests.RequestException, path: Path) -> str:
    import requests  # noqa: PLC0415 - see above

    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"{url}: truncated (the connection broke off after {path.stat().st_size} bytes)"
    if isinstance(error, requests.exceptions.Timeout) or "Read timed out" in str(error):
        return f"{url}: no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{url}: the server's certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{url}: the proxy does not let it through"
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"{url}: cannot be reached (is the network on?)"
    # The library's own texts may hold addresses of memory, which would differ from run to run: the kind must do.
    return f"{url}: not fetched ({type(error).__name__})"
