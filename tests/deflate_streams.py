"""Deflate streams such as no compressor writes: any codes that are allowed, up to the longest, and any symbols."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

LONGEST_CODE = 15
LENGTH_EXTRA = (0,) * 8 + (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4 + (0,)
LENGTH_BASE = (*range(3, 11), 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258)
DISTANCE_EXTRA = (0, 0, *(extra for extra in range(14) for _ in range(2)))
DISTANCE_BASE = tuple(1 + sum(1 << extra for extra in DISTANCE_EXTRA[:symbol]) for symbol in range(30))
LENGTH_CODE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


@dataclass
class Bits:
    """Bits on end, the first one lowest."""

    number: int = 0
    width: int = 0
    whole: bytearray = field(default_factory=bytearray)

    def add(self, value: int, width: int) -> None:
        self.number |= value << self.width
        self.width += width
        while self.width >= 8:
            self.whole.append(self.number & 0xFF)
            self.number >>= 8
            self.width -= 8

    def ended(self) -> bytes:
        return bytes(self.whole) + (bytes([self.number]) if self.width else b"")


def code_lengths(chance: random.Random, symbols: list[int], depth: float) -> dict[int, int]:
    """Lengths of a complete code: a tree that grows at its deepest leaf as often as ``depth`` says."""
    if len(symbols) == 1:
        return {symbols[0]: 1}
    leaves = [0]
    while len(leaves) < len(symbols):
        open_leaves = sorted((length, at) for at, length in enumerate(leaves) if length < LONGEST_CODE)
        length, at = open_leaves[-1] if chance.random() < depth else chance.choice(open_leaves)
        leaves[at] = length + 1
        leaves.append(length + 1)
    chance.shuffle(leaves)
    return dict(zip(symbols, leaves, strict=True))


def codes(lengths: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Each symbol's code as it stands in the stream, and its width (RFC 1951, 3.2.2)."""
    found, value, before = {}, 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        value <<= length - before
        found[symbol] = (int(f"{value:0{length}b}"[::-1], 2), length)
        value, before = value + 1, length
    return found


def _head(bits: Bits, is_last: bool, symbols: dict[int, int], distances: dict[int, int]) -> None:
    own = {symbol: 4 if symbol < 13 else 5 for symbol in range(19)}
    bits.add(is_last, 1)
    bits.add(2, 2)
    literals, far = max(symbols) + 1, max(distances) + 1
    bits.add(literals - 257, 5)
    bits.add(far - 1, 5)
    bits.add(15, 4)
    for symbol in LENGTH_CODE_ORDER:
        bits.add(own[symbol], 3)
    written = codes(own)
    for lengths, count in ((symbols, literals), (distances, far)):
        for symbol in range(count):
            bits.add(*written[lengths.get(symbol, 0)])


def stream(seed: int, blocks: int = 2, most: int = 1_500) -> tuple[bytes, bytes]:
    """A stream and its content."""
    chance = random.Random(seed)
    bits, content = Bits(), bytearray()
    for block in range(blocks):
        literals = chance.sample(range(256), chance.choice((1, 2, 30, 256)))
        repeats = chance.sample(range(257, 286), chance.choice((0, 1, 6, 29)))
        far = chance.sample(range(30), chance.choice((1, 2, 9, 30)))
        symbol_lengths = code_lengths(chance, [*literals, 256, *repeats], chance.choice((0.0, 0.1, 0.9)))
        far_lengths = code_lengths(chance, far, chance.choice((0.0, 0.1, 0.9)))
        _head(bits, block == blocks - 1, symbol_lengths, far_lengths)
        symbols, distances = codes(symbol_lengths), codes(far_lengths)
        for _ in range(chance.randrange(most)):
            possible = [symbol for symbol in far if DISTANCE_BASE[symbol] <= len(content)]
            if not repeats or not possible or chance.random() < 0.4:
                byte = chance.choice(literals)
                bits.add(*symbols[byte])
                content.append(byte)
                continue
            symbol, distance = chance.choice(repeats), chance.choice(possible)
            more = chance.randrange(1 << LENGTH_EXTRA[symbol - 257])
            free = min((1 << DISTANCE_EXTRA[distance]) - 1, len(content) - DISTANCE_BASE[distance])
            back = chance.randint(0, free)
            bits.add(*symbols[symbol])
            bits.add(more, LENGTH_EXTRA[symbol - 257])
            bits.add(*distances[distance])
            bits.add(back, DISTANCE_EXTRA[distance])
            for _ in range(LENGTH_BASE[symbol - 257] + more):
                content.append(content[-DISTANCE_BASE[distance] - back])
        bits.add(*symbols[256])
    return bits.ended(), bytes(content)
