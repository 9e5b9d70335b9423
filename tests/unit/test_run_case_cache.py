"""The case cache: whole entries come back, anything else is no entry, and its faults are nobody else's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequestError, BugError, TransientError
from core.examples.members import compress_member
from core.run import case_cache
from core.run.case_cache import (
    MAGIC,
    CacheUse,
    CaseCache,
    Found,
    entry_key,
    open_cache,
    read_entry,
    write_entry,
)  # fmt: skip
from core.store import open_store
from tests.broken_store import BrokenStore

DIGEST = hashlib.sha256(b"a case").digest()
OTHER = hashlib.sha256(b"another case").digest()


@given(st.binary(max_size=2000))
def test_an_entry_comes_back_under_its_digest_only(content: bytes) -> None:
    entry = write_entry(DIGEST, content)
    assert read_entry(entry, DIGEST) == content
    assert read_entry(entry, OTHER) is None


def test_cut_flipped_or_longer_is_no_entry() -> None:
    entry = write_entry(DIGEST, bytes(range(256)) * 3)
    assert all(read_entry(entry[:length], DIGEST) is None for length in range(len(entry)))
    for place in range(len(entry)):
        for bit in (1, 128):
            flipped = entry[:place] + bytes([entry[place] ^ bit]) + entry[place + 1 :]
            assert read_entry(flipped, DIGEST) is None, place
    assert read_entry(entry + b"\0", DIGEST) is None


@given(st.binary(max_size=300))
def test_foreign_bytes_are_no_entry(data: bytes) -> None:
    assert read_entry(data, DIGEST) is None
    with_head = MAGIC + DIGEST + hashlib.sha256(data).digest() + data
    assert read_entry(with_head, DIGEST) in (None, b"")


def test_an_entry_that_would_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = write_entry(DIGEST, bytes(50_000_000))
    assert len(entry) < 1_000_000
    assert read_entry(entry, DIGEST) == bytes(50_000_000)
    monkeypatch.setattr(case_cache, "MOST_ENTRY_BYTES", 49_999_999)
    assert read_entry(entry, DIGEST) is None
    packed = compress_member(b"x")[:-3]
    assert read_entry(MAGIC + DIGEST + hashlib.sha256(packed).digest() + packed, DIGEST) is None


def test_kept_found_replaced(tmp_path: Path) -> None:
    cache = CaseCache(open_store(tmp_path))
    assert cache.find(DIGEST) == Found()
    cache.keep(DIGEST, b"first")
    cache.keep(DIGEST, b"second")
    assert cache.find(DIGEST) == Found(b"first")
    (tmp_path / entry_key(DIGEST)).write_bytes(b"rubbish")
    assert cache.find(DIGEST) == Found(spoiled=True)
    cache.keep(DIGEST, b"third", replace=True)
    assert cache.find(DIGEST) == Found(b"third")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [DIGEST.hex()]
    assert cache.trouble == ""


def test_a_huge_object_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_cache, "MOST_ENTRY_BYTES", 3_000_000)
    place = tmp_path / entry_key(DIGEST)
    place.parent.mkdir()
    place.write_bytes(bytes(20_000_000))
    pieces: list[int] = []
    store = open_store(tmp_path)
    stream = store.stream

    def counted(*arguments: Any) -> Iterator[bytes]:
        for piece in stream(*arguments):
            pieces.append(len(piece))
            yield piece

    monkeypatch.setattr(store, "stream", counted)
    cache = CaseCache(store)
    assert cache.find(DIGEST) == Found(spoiled=True)
    assert sum(pieces) < 6_000_000
    cache.keep(OTHER, bytes(3_000_001))
    assert cache.find(OTHER) == Found()


@pytest.mark.parametrize("error", [TransientError("storage", "gone"), BadRequestError("storage_denied", "no")])
def test_reading_that_fails_ends_its_use_and_is_told(tmp_path: Path, error: Exception) -> None:
    store = BrokenStore(open_store(tmp_path), error, ("stream",))
    cache = CaseCache(store)
    assert cache.find(DIGEST) == cache.find(DIGEST) == Found()
    cache.keep(DIGEST, b"x")
    assert store.calls == ["stream"]
    assert list(tmp_path.iterdir()) == []
    assert not cache.is_of_use
    assert str(error) in cache.trouble


def test_a_cache_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    CaseCache(open_store(tmp_path)).keep(DIGEST, b"content")
    store = BrokenStore(open_store(tmp_path), BadRequestError("read_only", "no"), ("put", "put_if_absent"))
    cache = CaseCache(store)
    cache.keep(OTHER, b"x")
    cache.keep(OTHER, b"x")
    assert store.calls == ["put_if_absent"]
    assert cache.find(DIGEST) == Found(b"content")
    assert "read_only" in cache.trouble


def test_a_bug_is_no_trouble_but_a_bug(tmp_path: Path) -> None:
    for error in (BugError("bug", "broken"), ZeroDivisionError()):
        cache = CaseCache(BrokenStore(open_store(tmp_path), error, ("stream", "put_if_absent")))
        with pytest.raises(type(error)):
            cache.find(DIGEST)
        with pytest.raises(type(error)):
            CaseCache(BrokenStore(open_store(tmp_path), error, ("put_if_absent",))).keep(DIGEST, b"")


def test_a_location_that_cannot_be_opened_is_trouble_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = open_cache(CacheUse(str(tmp_path / "file")))
    assert cache is not None
    assert (cache.find(DIGEST), cache.is_of_use, cache.is_remote) == (Found(), False, False)
    assert "bad_location" in cache.trouble
    assert open_cache(None) is None


def test_fill_only(tmp_path: Path) -> None:
    cache = open_cache(CacheUse(str(tmp_path), recall=False))
    assert cache is not None
    cache.keep(DIGEST, b"content")
    assert cache.find(DIGEST) == Found()
    assert CaseCache(open_store(tmp_path)).find(DIGEST) == Found(b"content")


def test_fingerprints_tell_versions_apart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.fingerprint("x") is None
    store.put("x", b"1")
    first = store.fingerprint("x")
    assert first == store.fingerprint("x")
    store.put("x", b"2")
    assert store.fingerprint("x") not in (first, None)
