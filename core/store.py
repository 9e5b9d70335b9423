"""The object store: one small interface over a local folder, S3 and memory (design, "Object store").

A location is a URI or a path: ``data/out``, ``/data/out``, ``file:///data/out``, ``s3://bucket/prefix`` or
``memory://``. Keys are relative to it, with ``/`` between their parts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, MemoryStore, S3Store

from core.errors import BadRequestError, FatalError, TransientError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

DEFAULT_PIECE_BYTES = 256 * 1024
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")


@dataclass(frozen=True)
class ObjectInfo:
    """A stored object's key (relative to its store) and size in bytes."""

    key: str
    size: int


class Store:
    """Objects below one location.

    Every method raises :class:`core.errors.FatalError` (``storage_denied``) where the store refuses access and
    :class:`core.errors.TransientError` (``storage``) where it fails otherwise; the retries of the library are
    used up by then. Reading what is not there raises ``FileNotFoundError``; a key that could leave the location
    raises :class:`core.errors.BadRequestError` (``bad_location``).
    """

    def __init__(self, objects: ObjectStore, uri: str) -> None:
        self._objects = objects
        self.uri = uri.rstrip("/")

    def __repr__(self) -> str:
        return f"Store({self.uri!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        with self._translated(key):
            return bytes(obstore.get(self._objects, key).bytes())

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``; fewer where the object ends before."""
        if length == 0:
            return b""
        with self._translated(key):
            try:
                return bytes(obstore.get_range(self._objects, key, start=start, length=length))
            except BaseError:
                # A start beyond the end is an error to the library, and no fault of the storage.
                if obstore.head(self._objects, key)["size"] > start:
                    raise
                return b""

    def stream(self, key: str, piece_bytes: int = DEFAULT_PIECE_BYTES) -> Iterator[bytes]:
        """The object in order, in pieces of about ``piece_bytes``."""
        with self._translated(key):
            for piece in obstore.get(self._objects, key).stream(min_chunk_size=piece_bytes):
                yield bytes(piece)

    def put(self, key: str, data: bytes) -> None:
        """Write the object, in place of an earlier one."""
        with self._translated(key):
            obstore.put(self._objects, key, data, use_multipart=False)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object; False, and nothing written, where it exists."""
        with self._translated(key):
            try:
                obstore.put(self._objects, key, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
            return True

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """Every object whose key starts with the folder ``prefix``, sorted by key."""
        with self._translated(prefix):
            found = [
                ObjectInfo(item["path"], item["size"])
                for page in obstore.list(self._objects, prefix or None)
                for item in page
            ]
        return sorted(found, key=lambda item: item.key)

    def head(self, key: str) -> ObjectInfo | None:
        """Key and size, or None where there is no such object."""
        with self._translated(key):
            try:
                found = obstore.head(self._objects, key)
            except FileNotFoundError:
                return None
            return ObjectInfo(key, found["size"])

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        where = f"{self.uri}/{key}"
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(where) from None
        except ValueError as error:
            # The library's word on a key with "..", or with an empty part.
            raise BadRequestError("bad_location", _first_line(error), where=where, fix="Check the spelling.") from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise FatalError(
                "storage_denied", _first_line(error), where=where, fix="Check the permissions or the credentials."
            ) from error
        except (BaseError, OSError) as error:
            raise TransientError(
                "storage", _first_line(error), where=where, fix="Try again; committed work is kept."
            ) from error


def open_store(uri: str | os.PathLike[str], *, create: bool = False, read_only: bool = False) -> Store:
    """Open a location.

    ``create`` makes a missing local folder; ``read_only`` allows reading a public bucket without
    credentials. S3 takes its settings from the usual AWS environment variables (region, endpoint, keys).

    Raises
    ------
    BadRequestError
        A local folder that is missing (without ``create``) or is a file, or a scheme that is not known.
    """
    text = os.fspath(uri)
    if not _SCHEME.match(text):
        return _open_folder(Path(text).expanduser(), create)
    parts = urlsplit(text)
    if parts.scheme == "file":
        return _open_folder(Path(unquote(parts.path)), create)
    if parts.scheme == "memory":
        return Store(MemoryStore(), text)
    if parts.scheme == "s3":
        return _open_bucket(parts.netloc, parts.path.strip("/"), read_only)
    raise BadRequestError(
        "bad_location", f"{parts.scheme}:// is not a known kind of location", where=text, fix="Use a path or s3://."
    )


def open_object(uri: str | os.PathLike[str]) -> tuple[Store, str]:
    """The store and the key of a single object such as a clinical table.

    Raises
    ------
    BadRequestError
        Its folder does not exist, or this is the name of a folder.
    """
    text = os.fspath(uri)
    folder, _, key = text.rpartition("/")
    if not key:
        raise BadRequestError("bad_location", "not a file", where=text, fix="Give the path of one file.")
    return open_store(folder or ("/" if text.startswith("/") else "."), read_only=True), key


def _open_folder(folder: Path, create: bool) -> Store:
    if create:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadRequestError(
                "bad_location", error.strerror or str(error), where=str(folder), fix="Give another folder."
            ) from error
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "no such folder"
        raise BadRequestError("bad_location", problem, where=str(folder), fix="Check the spelling.")
    absolute = folder.resolve()
    return Store(LocalStore(absolute), str(absolute))


def _open_bucket(bucket: str, prefix: str, read_only: bool) -> Store:
    settings: dict[str, Any] = {}
    if read_only and not _has_credentials():
        settings["skip_signature"] = True
    if not any(name in os.environ for name in ("AWS_REGION", "AWS_DEFAULT_REGION")):
        settings["region"] = "us-east-1"
    if os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT_URL_S3", "")).startswith("http://"):
        settings["client_options"] = {"allow_http": True}
    objects = S3Store(bucket, prefix=prefix or None, **settings)
    return Store(objects, f"s3://{bucket}/{prefix}")


def _has_credentials() -> bool:
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    return any(os.environ.get(name) for name in names)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
