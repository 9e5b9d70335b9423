"""Files of a folder read as they stand: one version, bounded pieces, the store's errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import LocalStore

from core.errors import TransientError
from core.folder import plain_path, read_file
from core.store import open_store


def test_pieces(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(256)) * 40)
    pieces = list(read_file(tmp_path / "x", "x", 1000))
    assert b"".join(pieces) == bytes(range(256)) * 40
    assert [len(piece) for piece in pieces] == [1000] * 10 + [240]


def test_an_empty_file_has_no_piece(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert list(read_file(tmp_path / "x", "x", 1000)) == []
    assert open_store(tmp_path).get("x") == b""


def test_a_file_that_is_replaced_is_read_in_its_old_version(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("x", b"old" * 1000)
    pieces = store.stream("x", 100)
    first = next(pieces)
    store.put("x", b"new!" * 1000)
    assert first + b"".join(pieces) == b"old" * 1000
    assert store.get("x") == b"new!" * 1000


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(5000))
    pieces = read_file(tmp_path / "x", "runs/x", 1000)
    next(pieces)
    os.truncate(tmp_path / "x", 1500)
    with pytest.raises(TransientError, match="ended early") as caught:
        list(pieces)
    assert caught.value.where == "runs/x"


def test_a_file_that_grows_is_read_to_its_size(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a" * 1500)
    pieces = read_file(tmp_path / "x", "x", 1000)
    first = next(pieces)
    with (tmp_path / "x").open("ab") as file:
        file.write(b"b" * 1500)
    assert first + b"".join(pieces) == b"a" * 1500


@pytest.mark.parametrize("key", ["nothing", "folder", "file/below"])
def test_what_is_no_file_is_not_there(tmp_path: Path, key: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=key):
        open_store(tmp_path).get(key)


@given(st.text(st.sampled_from("ab.%#~ ä/-_"), min_size=1, max_size=12))
def test_a_plain_path_is_the_library_s(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    root = tmp_path_factory.mktemp("store")
    path = plain_path(root, key)
    if path is None:
        return
    LocalStore(root).put(key, b"content", use_multipart=False)
    assert path.read_bytes() == b"content"
    assert open_store(root).get(key) == b"content"
