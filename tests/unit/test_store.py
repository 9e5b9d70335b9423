"""The object store over a folder and over memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadRequestError
from core.store import ObjectInfo, Store, open_object, open_store


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store("memory://" if request.param == "memory" else tmp_path)


def test_put_get_and_list(store: Store) -> None:
    store.put("b/2", b"two")
    store.put("b/1", b"one")
    store.put("ba", b"other")
    store.put("b/1", b"once more")
    assert store.get("b/1") == b"once more"
    assert store.list("b") == [ObjectInfo("b/1", 9), ObjectInfo("b/2", 3)]
    assert [item.key for item in store.list()] == ["b/1", "b/2", "ba"]
    assert store.list("nothing") == []


def test_put_if_absent_never_overwrites(store: Store) -> None:
    assert store.put_if_absent("a/b", b"first")
    assert not store.put_if_absent("a/b", b"second")
    assert store.get("a/b") == b"first"


def test_head(store: Store) -> None:
    store.put("a", b"12345")
    assert store.head("a") == ObjectInfo("a", 5)
    assert store.head("b") is None


def test_get_range(store: Store) -> None:
    store.put("a", b"0123456789")
    assert store.get_range("a", 2, 3) == b"234"
    assert store.get_range("a", 8, 100) == b"89"
    assert store.get_range("a", 3, 0) == b""
    assert store.get_range("a", 10, 5) == b""
    assert store.get_range("a", 100, 5) == b""


def test_stream_gives_all_bytes_in_order(store: Store) -> None:
    data = bytes(range(256)) * 5000
    store.put("a", data)
    pieces = list(store.stream("a", 64 * 1024))
    assert b"".join(pieces) == data


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.get("a")
    with pytest.raises(FileNotFoundError):
        store.get_range("a", 0, 1)
    with pytest.raises(FileNotFoundError):
        list(store.stream("a"))


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a//b"])
def test_keys_never_leave_the_location(store: Store, key: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        store.get(key)
    assert caught.value.code == "bad_location"
    with pytest.raises(BadRequestError):
        store.put(key, b"")


def test_folders(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for location, create, problem in (
        (tmp_path / "missing", False, "no such folder"),
        (file, False, "is not a folder"),
        (file, True, "not a folder"),
        (file / "below", True, "directory"),
    ):
        with pytest.raises(BadRequestError, match=problem):
            open_store(location, create=create)
    assert open_store(tmp_path / "new" / "deep", create=True).list() == []
    assert open_store((tmp_path / "new").as_uri()).list() == []


def test_unknown_scheme() -> None:
    with pytest.raises(BadRequestError, match="ftp"):
        open_store("ftp://host/folder")


def test_open_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").write_bytes(b"x")
    store, key = open_object(tmp_path / "table.csv")
    assert (key, store.get(key)) == ("table.csv", b"x")
    monkeypatch.chdir(tmp_path)
    store, key = open_object("table.csv")
    assert store.get(key) == b"x"
    for location in ("", f"{tmp_path}/"):
        with pytest.raises(BadRequestError, match="not a file"):
            open_object(location)


def test_what_a_killed_write_left_is_told_apart(store: Store, tmp_path: Path) -> None:
    store.put("train/a.gz", b"1")
    for name in ("train/a.gz#1", "train/deep/b.gz#12", "train/#3", "train/c#x", "other#1"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    if store.uri == "memory:":
        assert store.unfinished("train") == {}
        return
    assert store.unfinished("train") == {"train/a.gz#1": "train/a.gz", "train/deep/b.gz#12": "train/deep/b.gz"}
    store.remove_unfinished("train/a.gz#1")
    store.remove_unfinished("train/a.gz#1")
    assert [*store.unfinished("train")] == ["train/deep/b.gz#12"]
    assert store.unfinished("nothing") == {}


@pytest.mark.parametrize("write", [Store.put, Store.put_if_absent])
def test_a_write_whose_file_is_swept_away_begins_anew(tmp_path: Path, write: Callable[..., object]) -> None:
    data = bytes(40_000_000)
    swept: list[str] = []
    ended = threading.Event()

    def sweep() -> None:
        other = open_store(tmp_path)
        while not ended.is_set() and not swept:
            for key in other.unfinished(""):
                other.remove_unfinished(key)
                swept.append(key)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    store = open_store(tmp_path)
    for number in range(50):
        if swept:
            break
        write(store, f"big{number}", data)
        assert store.head(f"big{number}") == ObjectInfo(f"big{number}", len(data))
    ended.set()
    sweeper.join()
    assert swept
    assert store.unfinished("") == {}
