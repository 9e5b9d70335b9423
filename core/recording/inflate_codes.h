/*
 * The codes of deflate (RFC 1951, 3.2) and the tables that decode them: a part of inflate.c, which includes it once.
 */
#include <stdint.h>
#include <string.h>

enum { LITERALS = 288, DISTANCES = 32, LONGEST_CODE = 15 };
enum { END_OF_BLOCK = 256, FIRST_LENGTH = 257, LAST_LENGTH = 285, LAST_DISTANCE = 29 };
/* Tables of this many bits fit the first cache beside the history; longer codes are rare and decoded bit by bit. */
enum { SYMBOL_BITS = 11, DISTANCE_BITS = 8, LENGTH_CODE_BITS = 7 };

/* How the lengths of one alphabet's codes give its codes: symbols in the codes' order, and how many of each length. */
typedef struct {
    uint16_t count[LONGEST_CODE + 1]; /* at 0: of all lengths */
    uint16_t symbol[LITERALS];
    uint16_t index[LITERALS]; /* the code as it stands in the stream, its first bit lowest */
} Code;

/* RFC 1951, 3.2.5 */
static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                         193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distance_extra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                         6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

/*
 * A symbol's entry. Bits 0-7: bits to go on. 8-15: width of the distance's index, 0 without a repeat; the two together
 * are what BEXTR wants to be told. 16-31: bytes repeated. 32-39: the byte. 40: whether it is written. 63: not here.
 */
enum { WIDTH_AT = 8, LENGTH_AT = 16, BYTE_AT = 32, WRITES_AT = 40 };
/* A distance's entry. Bits 0-7: bits to go on. 8-15: width of the next symbol's index. 16-23: of the bits, the code's
   alone. 32-47: the least distance. 63: not here. */
enum { CODE_AT = 16, BASE_AT = 32 };
#define NOT_HERE (UINT64_C(1) << 63)
/* The one bit of the width of a distance's index. */
enum { REPEATS_AT = WIDTH_AT + 3 };

/* Of the space of codes: from this share of bytes on, guessing that a symbol is one costs less than not guessing. */
enum { ALL_CODES = 1 << LONGEST_CODE, BYTES_FIRST = ALL_CODES * 15 / 20 };

static uint64_t low(uint64_t bits, int count) { return bits & ((UINT64_C(1) << count) - 1); }

/* The lowest bits of a number, so many, the other way round. */
static uint16_t reversed(uint32_t bits, int count) {
    bits = (bits & 0x5555) << 1 | (bits >> 1 & 0x5555);
    bits = (bits & 0x3333) << 2 | (bits >> 2 & 0x3333);
    bits = (bits & 0x0f0f) << 4 | (bits >> 4 & 0x0f0f);
    bits = (bits & 0x00ff) << 8 | (bits >> 8 & 0x00ff);
    return (uint16_t)(bits >> (16 - count));
}

/*
 * The codes of so many symbols; whether deflate allows them: exactly all codes are given away. As zlib has it, an
 * alphabet of repeats may also have no code or a single one of one bit.
 */
static int make_code(Code *code, const uint8_t *lengths, int symbols, int all_given) {
    int next[LONGEST_CODE + 2], left = 1, longest = 0;
    memset(code->count, 0, sizeof code->count);
    for (int symbol = 0; symbol < symbols; symbol++)
        code->count[lengths[symbol]] += 1;
    code->count[0] = (uint16_t)(symbols - code->count[0]);
    next[1] = 0;
    for (int length = 1; length <= LONGEST_CODE; length++) {
        left = 2 * left - code->count[length];
        if (left < 0)
            return 0;
        if (code->count[length])
            longest = length;
        next[length + 1] = next[length] + code->count[length];
    }
    for (int symbol = 0; symbol < symbols; symbol++)
        if (lengths[symbol])
            code->symbol[next[lengths[symbol]]++] = (uint16_t)symbol;
    uint32_t value = 0;
    for (int length = 1, at = 0; length <= longest; length++, value <<= 1)
        for (int number = code->count[length]; number > 0; number--)
            code->index[at++] = reversed(value++, length);
    return left == 0 || (!all_given && longest <= 1);
}

/* The next symbol bit by bit, -1 where no code begins so; *used is its length, or more than have where bits are missing. */
static int decode(const Code *code, uint64_t bits, int64_t have, int *used) {
    int value = 0, first = 0, index = 0;
    for (int length = 1; length <= LONGEST_CODE; length++) {
        int count = code->count[length];
        *used = length;
        if (length > have)
            return 0;
        value |= (int)(bits & 1);
        bits >>= 1;
        if (value - count < first)
            return code->symbol[index + value - first];
        index += count;
        if (index == code->count[0])
            return -1;
        first = (first + count) << 1;
        value <<= 1;
    }
    return -1;
}

/* Which share of the space of codes, ALL_CODES, is given to bytes: how often they come, as whoever made the code saw it. */
static int share_of_bytes(const uint8_t *lengths) {
    int share = 0;
    for (int symbol = 0; symbol < END_OF_BLOCK; symbol++)
        share += lengths[symbol] ? ALL_CODES >> lengths[symbol] : 0;
    return share;
}

static int is_byte(uint64_t entry) { return entry >> WRITES_AT == 1 && !(entry >> REPEATS_AT & 1); }

static uint64_t symbol_entry(int symbol, int length) {
    if (symbol < END_OF_BLOCK)
        return UINT64_C(1) << WRITES_AT | (uint64_t)symbol << BYTE_AT | (uint64_t)length;
    if (symbol == END_OF_BLOCK || symbol > LAST_LENGTH)
        return NOT_HERE;
    int at = symbol - FIRST_LENGTH;
    if (length + length_extra[at] > SYMBOL_BITS)
        return NOT_HERE;
    return (uint64_t)length_base[at] << LENGTH_AT | DISTANCE_BITS << WIDTH_AT | (uint64_t)length;
}

static uint64_t distance_entry(int symbol, int length) {
    if (symbol > LAST_DISTANCE)
        return NOT_HERE;
    return (uint64_t)distance_base[symbol] << BASE_AT | (uint64_t)length << CODE_AT | SYMBOL_BITS << WIDTH_AT |
           (uint64_t)(length + distance_extra[symbol]);
}

static uint64_t plain_entry(int symbol, int length) { return (uint64_t)symbol << WIDTH_AT | (uint64_t)length; }

/* The entry of each index; what no short code begins stays "not here". The table doubles with each length of code. */
static void fill(uint64_t *table, int bits, const Code *code, uint64_t (*entry)(int, int)) {
    table[0] = NOT_HERE;
    for (int length = 1, at = 0; length <= bits; length++) {
        memcpy(table + (1 << (length - 1)), table, sizeof *table << (length - 1));
        for (int number = code->count[length]; number > 0; number--, at++)
            table[code->index[at]] = entry(code->symbol[at], length);
    }
}

/* At every index that the code begins: the length of a repeat with what its extra bits add. */
static void add_extra(uint64_t *table, int code, int bits, int extra) {
    for (int index = code; index < 1 << SYMBOL_BITS; index += 1 << bits)
        table[index] += (low((uint64_t)index >> bits, extra) << LENGTH_AT) + (uint64_t)extra;
}

/* At every index that a byte's code begins: the repeat behind it too, where both fit. */
static void join_repeats(uint64_t *table, int code, int bits) {
    for (int index = code; index < 1 << SYMBOL_BITS; index += 1 << bits) {
        uint64_t next = table[index >> bits];
        if (next >> BYTE_AT == 0 && bits + (int)(next & 63) <= SYMBOL_BITS)
            table[index] += next;
    }
}

static void fill_symbols(uint64_t *table, const Code *code) {
    int shortest = SYMBOL_BITS, short_codes = 0;
    fill(table, SYMBOL_BITS, code, symbol_entry);
    for (int bits = 1; bits <= SYMBOL_BITS; bits++)
        for (int number = code->count[bits]; number > 0; number--, short_codes++) {
            int at = code->symbol[short_codes] - FIRST_LENGTH;
            if (at < 0 || at > LAST_LENGTH - FIRST_LENGTH || bits + length_extra[at] > SYMBOL_BITS)
                continue;
            if (bits + length_extra[at] < shortest)
                shortest = bits + length_extra[at];
            if (length_extra[at])
                add_extra(table, code->index[short_codes], bits, length_extra[at]);
        }
    for (int bits = 1, at = 0; bits + shortest <= SYMBOL_BITS; bits++)
        for (int number = code->count[bits]; number > 0; number--, at++)
            if (code->symbol[at] < END_OF_BLOCK)
                join_repeats(table, code->index[at], bits);
}
