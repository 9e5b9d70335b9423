"""Prefetch: the same bytes, a bound, errors where they belong, and no thread left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from core.errors import TransientError
from core.run.prefetch import Prefetch, read_ahead
from core.run.source import StoreSource
from core.store import open_store

PIECE = 1000


class SlowSource(StoreSource):
    """Objects as pieces; keeps what was asked for and how far ahead of the reader the download got."""

    def __init__(self, objects: dict[str, list[bytes | Exception]]) -> None:
        super().__init__(open_store("memory://"))
        self.objects = objects
        self.asked: list[str] = []
        self.sent = 0
        self.most_ahead = 0
        self.on_piece: Callable[[threading.Event], None] = lambda stop: None

    @property
    def is_remote(self) -> bool:
        return True

    def read(self, key: str, piece_bytes: int = PIECE) -> Iterator[bytes]:
        for piece in self.download(key, threading.Event()):
            self.bytes_read += len(piece)
            yield piece

    def download(self, key: str, stop: threading.Event) -> Iterator[bytes]:
        self.asked.append(key)
        if key not in self.objects:
            raise FileNotFoundError(key)
        for piece in self.objects[key]:
            self.on_piece(stop)
            if isinstance(piece, Exception):
                raise piece
            self.sent += len(piece)
            self.most_ahead = max(self.most_ahead, self.sent - self.bytes_read)
            yield piece


def pieces(letter: str, count: int) -> list[bytes | Exception]:
    return [letter.encode() * PIECE] * count


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "casemill-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    wait_for(lambda: not threads())


def test_the_same_bytes_in_the_same_order_and_all_counted() -> None:
    source = SlowSource({letter: pieces(letter, 20) for letter in "abcd"})
    with read_ahead(source, list("abcd"), buffer_bytes=5 * PIECE) as ahead:
        assert ahead is not None
        for letter in "abcd":
            assert b"".join(ahead.read(letter)) == letter.encode() * 20 * PIECE
    assert source.asked == list("abcd")
    assert source.bytes_read == 80 * PIECE


def test_the_next_objects_come_in_meanwhile_up_to_the_bound() -> None:
    source = SlowSource({letter: pieces(letter, 20) for letter in "abcd"})
    with read_ahead(source, list("abcd"), buffer_bytes=30 * PIECE) as ahead:
        assert ahead is not None
        assert len(b"".join(ahead.read("a"))) == 20 * PIECE
        wait_for(lambda: source.sent == 51 * PIECE)  # 30 held and one in hand
        time.sleep(0.05)
        assert source.sent == 51 * PIECE
        for letter in "bcd":
            assert len(b"".join(ahead.read(letter))) == 20 * PIECE
    assert source.most_ahead <= 32 * PIECE


def test_an_object_larger_than_the_bound_streams_through() -> None:
    source = SlowSource({"a": pieces("a", 500)})
    with read_ahead(source, ["a"], buffer_bytes=PIECE // 2) as ahead:
        assert ahead is not None
        assert sum(map(len, ahead.read("a"))) == 500 * PIECE
    assert source.most_ahead <= 4 * PIECE


def test_an_error_comes_up_at_its_case_and_the_others_go_on() -> None:
    broken = TransientError("storage", "broken")
    source = SlowSource({"a": pieces("a", 2), "b": [b"half", broken], "d": pieces("d", 1)})
    with read_ahead(source, list("abcd")) as ahead:
        assert ahead is not None
        assert len(b"".join(ahead.read("a"))) == 2 * PIECE
        read = []
        with pytest.raises(TransientError, match="broken"):
            read.extend(ahead.read("b"))
        assert read == [b"half"]
        with pytest.raises(FileNotFoundError, match="c"):
            b"".join(ahead.read("c"))
        assert len(b"".join(ahead.read("d"))) == PIECE


def test_objects_left_early_or_never_read_do_not_stop_the_others() -> None:
    source = SlowSource({letter: pieces(letter, 100) for letter in "abcd"})
    with read_ahead(source, list("abcd"), buffer_bytes=3 * PIECE) as ahead:
        assert ahead is not None
        assert next(ahead.read("a"))[:1] == b"a"
        assert b"".join(ahead.read("d")) == b"d" * 100 * PIECE
    assert source.sent < 250 * PIECE, "what nobody wants any more is not downloaded to its end"


def test_what_was_not_announced_comes_straight_from_the_source() -> None:
    source = SlowSource({letter: pieces(letter, 3) for letter in "abx"})
    with read_ahead(source, list("ab")) as ahead:
        assert ahead is not None
        for letter in ("x", "b", "a", "b"):
            assert b"".join(ahead.read(letter)) == letter.encode() * 3 * PIECE
        with pytest.raises(FileNotFoundError):
            b"".join(ahead.read("none"))


def test_a_range_comes_straight_from_the_source_and_is_counted_there() -> None:
    source = SlowSource({"a": pieces("a", 3)})
    source._store.put("table", b"0123456789")
    with read_ahead(source, ["a"]) as ahead:
        assert ahead is not None
        assert ahead.read_range("table", 3, 4) == b"3456"
        assert source.bytes_read == 4
        assert b"".join(ahead.read("a")) == b"a" * 3 * PIECE


def test_closing_ends_the_thread_wherever_it_is() -> None:
    source = SlowSource({letter: pieces(letter, 100) for letter in "ab"})
    waiting = threading.Event()

    def hang(stop: threading.Event) -> None:
        if source.sent >= 10 * PIECE:
            waiting.set()
            assert stop.wait(5), "the storage's repeats are told to end"

    source.on_piece = hang
    prefetch = Prefetch(source, ["a", "b"])
    assert waiting.wait(5)
    started = time.monotonic()
    prefetch.close()
    assert time.monotonic() - started < 4
    assert not threads()


def test_local_sources_are_left_alone() -> None:
    source = StoreSource(open_store("memory://"))
    with read_ahead(source, ["a"]) as ahead:
        assert ahead is source
    with read_ahead(None, ["a"]) as nothing:
        assert nothing is None
    assert not threads()


def test_downloads_happen_within_the_computation() -> None:
    """Each case's computation goes on until the next object is in: one after the other, it would wait for ever."""
    source = SlowSource({letter: pieces(letter, 10) for letter in "abcdef"})
    with read_ahead(source, list("abcdef")) as ahead:
        assert ahead is not None
        for number, letter in enumerate("abcdef", start=1):
            assert len(b"".join(ahead.read(letter))) == 10 * PIECE
            wait_for(lambda: source.sent >= min(number + 1, 6) * 10 * PIECE)  # noqa: B023


def test_an_object_is_worked_on_before_it_is_there() -> None:
    """Inflating starts with the first piece: the last one comes only once the first has been taken."""
    source = SlowSource({"a": pieces("a", 10)})
    taken = threading.Event()

    def hold_the_last(stop: threading.Event) -> None:
        if source.sent == 9 * PIECE:
            assert taken.wait(60)

    source.on_piece = hold_the_last
    with read_ahead(source, ["a"]) as ahead:
        assert ahead is not None
        read = ahead.read("a")
        assert len(next(read)) == PIECE
        taken.set()
        assert len(b"".join(read)) == 9 * PIECE


def test_an_object_that_is_left_before_its_end_makes_room_for_the_next() -> None:
    source = SlowSource({"a": pieces("a", 50), "b": pieces("b", 2)})
    with read_ahead(source, ["a", "b"], buffer_bytes=3 * PIECE) as ahead:
        assert ahead is not None
        reading = ahead.read("a")
        assert next(reading) == b"a" * PIECE
        reading.close()  # type: ignore[attr-defined]
        # Without another read: the next object comes in while the case is computed.
        wait_for(lambda: source.asked == ["a", "b"])
        assert source.sent < 10 * PIECE
        assert b"".join(ahead.read("b")) == b"b" * 2 * PIECE
    assert source.bytes_read == 3 * PIECE
