/*
 * The lengths of a block's codes, as its head gives them (RFC 1951, 3.2.7): a part of inflate.c, which includes it once.
 */
#include <stdint.h>
#include <string.h>

enum { LENGTH_CODE_BITS = 7, LENGTH_CODES = 19, SYMBOL_AT = 8 };
enum { COPY_LAST = 16, ZEROS = 17, MANY_ZEROS = 18 };

/* Reading the bits of a block's head: all of it, or nothing where the input ends inside. */
typedef struct {
    const uint8_t *next, *end;
    uint64_t bits, count;
} Bits;

INLINE int has(Bits *bits, uint64_t wanted) {
    if (bits->count >= wanted)
        return 1;
    if (bits->end - bits->next >= WORD)
        refill(&bits->bits, &bits->count, &bits->next, word_at(bits->next));
    while (bits->count < wanted && bits->next < bits->end) {
        bits->bits |= (uint64_t)*bits->next++ << bits->count;
        bits->count += 8;
    }
    return bits->count >= wanted;
}

INLINE int take(Bits *bits, uint64_t wanted) {
    int value = (int)low(bits->bits, wanted);
    bits->bits >>= wanted;
    bits->count -= wanted;
    return value;
}

/* By the bits to come: the symbol of the code for lengths (from SYMBOL_AT on), and how many bits its own code takes. */
INLINE int read_length_code(Bits *bits, int given, uint16_t *table) {
    static const uint8_t order[LENGTH_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LENGTH_CODES] = {0};
    Code code;
    for (int at = 0; at < given; at++) {
        if (!has(bits, 3))
            return NEEDS_INPUT;
        lengths[order[at]] = (uint8_t)take(bits, 3);
    }
    if (!make_code(&code, lengths, LENGTH_CODES, 1))
        return DAMAGED;
    for (int at = 0; at < code.count[0]; at++) {
        int symbol = code.symbol[at], length = lengths[symbol];
        for (int index = code.index[at]; index < 1 << LENGTH_CODE_BITS; index += 1 << length)
            table[index] = (uint16_t)(symbol << SYMBOL_AT | length);
    }
    return GOES_ON;
}

/* The lengths of both alphabets' codes (RFC 1951, 3.2.7). */
static int read_lengths(Bits *taken, uint8_t *lengths, int *literals, int *distances) {
    uint16_t table[1 << LENGTH_CODE_BITS];
    Bits here = *taken, *const bits = &here; /* in registers */
    if (!has(bits, 14))
        return NEEDS_INPUT;
    *literals = take(bits, 5) + 257;
    *distances = take(bits, 5) + 1;
    if (*literals > LAST_LENGTH + 1 || *distances > LAST_DISTANCE + 1)
        return DAMAGED;
    int read = read_length_code(bits, take(bits, 4) + 4, table);
    if (read != GOES_ON)
        return read;
    for (int filled = 0; filled < *literals + *distances;) {
        has(bits, LENGTH_CODE_BITS);
        uint64_t entry = table[low(bits->bits, LENGTH_CODE_BITS)], own = low(entry, SYMBOL_AT);
        int symbol = (int)(entry >> SYMBOL_AT);
        uint64_t extra = symbol < COPY_LAST ? 0 : symbol == COPY_LAST ? 2 : symbol == ZEROS ? 3 : 7;
        if (!has(bits, own + extra))
            return NEEDS_INPUT;
        take(bits, own);
        if (symbol < COPY_LAST) {
            lengths[filled++] = (uint8_t)symbol;
            continue;
        }
        int times = take(bits, extra) + (symbol == MANY_ZEROS ? 11 : 3);
        if ((symbol == COPY_LAST && !filled) || filled + times > *literals + *distances)
            return DAMAGED;
        memset(lengths + filled, symbol == COPY_LAST ? lengths[filled - 1] : 0, (size_t)times);
        filled += times;
    }
    *taken = here;
    return lengths[END_OF_BLOCK] ? GOES_ON : DAMAGED;
}
