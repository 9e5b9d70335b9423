"""The object store: one small interface over a local folder, S3 and memory (design, "Object store").

A location is a URI or a path: ``data/out``, ``/data/out``, ``file:///data/out``, ``s3://bucket/prefix`` or
``memory://``. Keys are relative to it, with ``/`` between their parts.

S3 takes its settings from the environment variables of the AWS tools: ``AWS_REGION``, ``AWS_ENDPOINT_URL_S3`` or
``AWS_ENDPOINT_URL`` (``http://`` allowed, bucket in the path), and credentials as :mod:`core.credentials` says. What
is written carries its SHA-256, which S3 checks. A role needs ``s3:ListBucket`` too: without it, S3 answers "denied"
for what is merely not there; and ``s3:PutObjectTagging`` for what is tagged.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, MemoryStore

from core.errors import BadRequestError, BugError, TransientError
from core.faults import Fault, classify, http_status
from core.folder import plain_path, read_file
from core.patience import Patience

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

Result = TypeVar("Result")

DEFAULT_PIECE_BYTES = 256 * 1024
WHOLE_PIECE_BYTES = 8 * 1024 * 1024
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")
_UNFINISHED = re.compile(r"(?P<finished>.+)#[0-9]+")
"""What the library calls a file of a folder while it is written. It lists none of them; other tools do."""

_LOST_ITS_FILE = re.compile(r"Unable to rename file.*\(os error 2\)", re.DOTALL)
_TAKEN_AWAY = 2
"""How often a write begins anew when its unfinished file is removed."""


@dataclass(frozen=True)
class ObjectInfo:
    """A stored object's key (relative to its store), size in bytes, and the tag that changes with every writing."""

    key: str
    size: int
    e_tag: str | None = field(default=None, compare=False)


class Access(Protocol):
    """How a store calls the library: translated errors and, where it makes sense, repeats."""

    repeats: int

    def patience(self, stop: threading.Event | None = None) -> Patience:
        """What one operation may bear."""
        ...

    def call(
        self,
        operation: Callable[[ObjectStore], Result],
        where: str,
        patience: Patience,
        body_bytes: int | None = None,
    ) -> Result:
        """Do it; errors as :class:`Store` says."""
        ...


class Direct:
    """Access without repeats, for a folder and for memory: a full or failing disk does not mend in seconds."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self.repeats = 0

    def patience(self, stop: threading.Event | None = None) -> Patience:
        return Patience(0.0)

    def call(
        self,
        operation: Callable[[ObjectStore], Result],
        where: str,
        patience: Patience,
        body_bytes: int | None = None,
    ) -> Result:
        for left in range(_TAKEN_AWAY, -1, -1):
            try:
                return operation(self._objects)
            except FileNotFoundError:
                raise FileNotFoundError(where) from None
            except (BaseError, OSError) as error:
                # A publisher at the same time took the unfinished file for one that a killed process left.
                if left and _LOST_ITS_FILE.search(str(error)):
                    continue
                raise classify(error, where).error from error
        raise AssertionError("the last one returns or raises")


class Store:
    """Objects below one location.

    Every method raises :class:`core.errors.TransientError` or :class:`core.errors.FatalError` as
    :mod:`core.faults` sorts what went wrong; on S3, repeats have been of no help by then. Reading what is not there
    raises ``FileNotFoundError``; a key that could leave the location raises :class:`core.errors.BadRequestError`
    (``bad_location``).
    """

    def __init__(self, access: Access, uri: str, folder: Path | None = None) -> None:
        self._access = access
        self._folder = folder
        self.uri = uri.rstrip("/")

    def __repr__(self) -> str:
        return f"Store({self.uri!r})"

    @property
    def is_remote(self) -> bool:
        """Whether reading takes the network."""
        return self.uri.startswith("s3://")

    @property
    def repeats(self) -> int:
        """Requests that were made again after a fault, since the store was opened."""
        return self._access.repeats

    def get(self, key: str) -> bytes:
        """The whole object."""
        return b"".join(self.stream(key, WHOLE_PIECE_BYTES))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``; fewer where the object ends before."""
        if length == 0:
            return b""

        def read(objects: ObjectStore) -> bytes:
            try:
                return bytes(obstore.get_range(objects, key, start=start, length=length))
            except BaseError:
                # A start beyond the end is an error to the library, and no fault of the storage.
                if obstore.head(objects, key)["size"] > start:
                    raise
                return b""

        return self._call(key, read)

    def stream(
        self, key: str, piece_bytes: int = DEFAULT_PIECE_BYTES, stop: threading.Event | None = None
    ) -> Iterator[bytes]:
        """The object in order, in pieces of about ``piece_bytes``; ``stop`` ends repeats early.

        A connection that breaks is taken up where it broke, in the same version of the object.
        """
        path = plain_path(self._folder, key) if self._folder else None
        if path is not None:
            return read_file(path, self._where(key), piece_bytes)
        return self._download(key, piece_bytes, self._access.patience(stop))

    def _download(self, key: str, piece_bytes: int, patience: Patience) -> Iterator[bytes]:
        where = self._where(key)
        offset, size, version = 0, None, None
        while size is None or offset < size:
            options: GetOptions = {"range": {"offset": offset}, "if_match": version} if offset else {}
            found = self._call(key, lambda objects: obstore.get(objects, key, options=options), patience)  # noqa: B023
            size, version = found.meta["size"], found.meta["e_tag"]
            try:
                for piece in found.stream(min_chunk_size=piece_bytes):
                    offset += len(piece)
                    yield bytes(piece)
                    patience.renew()
            except (BaseError, OSError) as error:
                patience.bear(classify(error, where))
            else:
                if offset < size:
                    short = TransientError("storage", "the object ended early", where=where, fix="Try again.")
                    patience.bear(Fault(short, repeat=True))

    def put(self, key: str, data: bytes) -> None:
        """Write the object, in place of an earlier one."""
        self._call(key, lambda objects: obstore.put(objects, key, data, use_multipart=False), body_bytes=len(data))

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none.

        Only for taking back a word that has proved untrue, such as ``_SUCCESS``: what a run has committed stays.
        """
        try:
            # Writing: a refusal is not tried again without credentials.
            self._call(key, lambda objects: obstore.delete(objects, key), body_bytes=0)
        except FileNotFoundError:
            return

    def put_if_absent(self, key: str, data: bytes, tags: Mapping[str, str] | None = None) -> bool:
        """Create the object; False, and nothing written, where it exists.

        Where the answer to a try was lost, an object with exactly these bytes counts as created by it. ``tags`` are
        for the rules of a bucket; a folder and the memory forget them.
        """

        def create(objects: ObjectStore) -> bool:
            try:
                obstore.put(objects, key, data, mode="create", use_multipart=False, tags=dict(tags or {}))
            except (AlreadyExistsError, PreconditionError) as error:
                if http_status(error) == "409":
                    # A rival is at it and may yet fail, so this says nothing about what will be there.
                    patience.bear(classify(error, self._where(key)))
                    return create(objects)
                return False
            return True

        patience = self._access.patience()
        if self._call(key, create, patience, body_bytes=len(data)):
            return True
        return patience.repeats > 0 and self._holds(key, data)

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """Every object whose key starts with the folder ``prefix``, sorted by key."""

        def read(objects: ObjectStore) -> list[ObjectInfo]:
            pages = obstore.list(objects, prefix or None)
            return [ObjectInfo(item["path"], item["size"], item["e_tag"]) for page in pages for item in page]

        return sorted(self._call(prefix, read), key=lambda item: item.key)

    def dangling_links(self) -> Sequence[str]:
        """Links of a folder that lead nowhere, which no listing shows; reading one says that it is not there."""
        if self._folder is None:
            return []
        found = (Path(folder, name) for folder, _, names in os.walk(self._folder) for name in names)
        lost = [path for path in found if path.is_symlink() and not path.exists()]
        return sorted(path.relative_to(self._folder).as_posix() for path in lost)

    def unfinished(self, prefix: str) -> Mapping[str, str]:
        """Files in the folder ``prefix`` whose writing is going on, or was killed: each with the key that it was to
        have. No other method sees them. A bucket and the memory have none."""
        if self._folder is None:
            return {}
        root = self._folder / prefix
        found = ((path, _UNFINISHED.fullmatch(path.name)) for path in root.rglob("*#*"))
        keys = {path.relative_to(self._folder).as_posix(): match for path, match in found if match and path.is_file()}
        return {key: f"{key.removesuffix(match[0])}{match['finished']}" for key, match in sorted(keys.items())}

    def remove_unfinished(self, key: str) -> None:
        """Remove a file that :meth:`unfinished` told of; whoever writes it now begins anew."""
        if self._folder is None or not _UNFINISHED.fullmatch(key):
            raise BugError("not_unfinished", "this is no file that was left unfinished", where=self._where(key))
        try:
            (self._folder / key).unlink(missing_ok=True)
        except OSError as error:
            raise classify(error, self._where(key)).error from error

    def head(self, key: str) -> ObjectInfo | None:
        """Key, size and tag, or None where there is no such object."""
        meta = self._meta(key, None)
        return None if meta is None else ObjectInfo(key, meta["size"], meta["e_tag"])

    def fingerprint(self, key: str, stop: threading.Event | None = None) -> str | None:
        """What tells this content of the object from another at the same key; ``stop`` ends repeats early.

        Size, time of change, ETag and version; in a folder, the ETag is made of inode, time (µs) and size. None where
        there is no such object, or the storage gives it no ETag.
        """
        meta = self._meta(key, stop)
        if meta is None or not meta["e_tag"]:
            return None
        changed = meta["last_modified"].isoformat()
        return f"{meta['size']} {changed} {meta['e_tag']} {meta['version'] or ''}"

    def _meta(self, key: str, stop: threading.Event | None) -> ObjectMeta | None:
        def read(objects: ObjectStore) -> ObjectMeta:
            try:
                return obstore.head(objects, key)
            except BaseError as error:
                if http_status(error) in ("400", "401", "403"):
                    # An answer to HEAD has no body that could say why; that to GET has, or is as good.
                    return obstore.get(objects, key).meta
                raise

        try:
            return self._call(key, read, self._access.patience(stop))
        except FileNotFoundError:
            return None

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self.get(key) == data
        except FileNotFoundError:
            error = TransientError("storage", "the object came and went", where=self._where(key), fix="Try again.")
            raise error from None

    def _where(self, key: str) -> str:
        return f"{self.uri}/{key}"

    def _call(
        self,
        key: str,
        operation: Callable[[ObjectStore], Result],
        patience: Patience | None = None,
        body_bytes: int | None = None,
    ) -> Result:
        try:
            return self._access.call(operation, self._where(key), patience or self._access.patience(), body_bytes)
        except ValueError as error:
            # The library's word on a key with "..", or with an empty part.
            what = (str(error).strip() or "bad key").splitlines()[0]
            raise BadRequestError("bad_location", what, where=self._where(key), fix="Check the spelling.") from error


def open_store(uri: str | os.PathLike[str], *, create: bool = False) -> Store:
    """Open a location; ``create`` makes a missing local folder. A bucket is first asked when it is first used.

    Raises
    ------
    BadRequestError
        A local folder that is missing (without ``create``) or is a file, a scheme that is not known, a bucket's name
        that cannot be one, settings of the environment that cannot be used.
    """
    text = os.fspath(uri)
    if not _SCHEME.match(text):
        return _open_folder(Path(text).expanduser(), create)
    if text.startswith("s3://"):
        return _open_bucket(text)
    parts = urlsplit(text)
    if parts.scheme == "file":
        return _open_folder(Path(unquote(parts.path)), create)
    if parts.scheme == "memory":
        return Store(Direct(MemoryStore()), text)
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
    if not key or folder.endswith(":/"):
        raise BadRequestError("bad_location", "not a file", where=text, fix="Give the path of one file.")
    return open_store(folder or ("/" if text.startswith("/") else ".")), key


def _open_folder(folder: Path, create: bool) -> Store:
    if create:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = "is a file, not a folder" if isinstance(error, FileExistsError) else error.strerror or str(error)
            raise BadRequestError("bad_location", what, where=str(folder), fix="Give another folder.") from error
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "no such folder"
        raise BadRequestError("bad_location", problem, where=str(folder), fix="Check the spelling.")
    absolute = folder.resolve()
    return Store(Direct(LocalStore(absolute)), str(absolute), absolute)


def _open_bucket(location: str) -> Store:
    # Not split as a web address: "?", "#" and "%" are plain characters in a key.
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise BadRequestError("bad_location", "not a bucket's name", where=location, fix="Give s3://BUCKET/PREFIX.")
    from core.bucket import Bucket  # what it needs of the web is a part of every start that a folder does without

    return Store(Bucket(bucket, prefix), f"s3://{bucket}/{prefix}")
