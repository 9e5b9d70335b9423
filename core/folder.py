"""Reading files of a local folder as they stand: what the store's library takes thirty times the processor time for.

The library streams a file in reads of 8 KiB through threads of its own; a recording of 30 MB then costs as much to read
as to inflate. Everything else (creating, listing, replacing) stays with the library.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from core.errors import TransientError
from core.faults import classify

_PLAIN_KEY = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""Keys that the library, too, takes for the path as it is written; of others it escapes characters."""


def plain_path(folder: Path, key: str) -> Path | None:
    """The file of a key; None for a key that only the library may turn into a path.

    >>> plain_path(Path("/data"), "vital_files/0001.vital")
    PosixPath('/data/vital_files/0001.vital')
    >>> plain_path(Path("/data"), "../0001.vital")
    """
    return folder / key if _PLAIN_KEY.fullmatch(key) else None


def read_file(path: Path, where: str, piece_bytes: int) -> Iterator[bytes]:
    """The file in order, in pieces of ``piece_bytes``, in the version that it had when it was opened.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    TransientError, FatalError
        What the machine says of it; ``storage`` where it ends before its size.
    """
    try:
        with path.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            while left and (piece := file.read(min(piece_bytes, left))):
                left -= len(piece)
                yield piece
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise FileNotFoundError(where) from None
    except OSError as error:
        raise classify(error, where).error from error
    if left:
        raise TransientError("storage", "the object ended early", where=where, fix="Try again.")
