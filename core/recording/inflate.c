/*
 * Inflating one deflate stream (RFC 1951), piece by piece: raw content, without the gzip around it.
 *
 * Recordings are full of short repeats: of ten symbols, six are repeats of three to six bytes and four are single
 * bytes, in no order that a processor could foretell. Decoders with a branch for each kind guess wrong every other time,
 * and that is most of their time. Here both kinds take the same way: a table's entry says how many bits to go on, whether
 * a byte is written, and how many bytes are copied, which may be none. Only in blocks of mostly single bytes, where a
 * guess is mostly right, a byte takes a shorter way.
 *
 * Plain C99 (and two instructions of x86 where it has them), loaded with ctypes. Nothing in the stream is trusted: reads
 * stay inside in[0 .. in_bytes - 1] and the given buffer, and what zlib calls damaged is damaged here.
 */
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "inflate_codes.h"
#include "inflate_copy.h"

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { NEEDS_INPUT = 0, NEEDS_ROOM = 1, ENDED = 2, DAMAGED = 3, GOES_ON = 4 };
enum { AT_BLOCK = 0, IN_STORED = 1, IN_SYMBOLS = 2, AT_END = 3 };
enum { HISTORY = 32768 };
/* One turn of the fast loop takes at most 11 bits of one table, 8 and 13 of the other: a refill gives 56. */
enum { FAST_IN = 16, BYTES_A_REFILL = 4 };

/* Mirrored field by field in inflate_native.py, up to the tables. */
typedef struct {
    const uint8_t *in;
    int64_t in_bytes;
    int64_t in_taken;

    uint8_t *out;   /* HISTORY bytes, and behind them room for end - HISTORY bytes, one symbol more and a word */
    int64_t oldest; /* the first byte of the stream's content that stands in out */
    int64_t at;     /* the next byte; the content since the last call is out[HISTORY .. at - 1] */
    int64_t end;    /* no symbol begins here or behind */

    uint64_t bits; /* read and not used yet, lowest first */
    int64_t bit_count;
    int64_t state;
    int64_t is_last; /* the block at hand */
    int64_t stored;  /* bytes of a stored block that are left */
    int64_t quick;   /* whether the processor has the instructions of that variant */
    int64_t bytes_first; /* whether the block at hand has mostly single bytes */

    Code symbols, distances;
    uint64_t symbol_table[1 << SYMBOL_BITS];
    uint64_t distance_table[1 << DISTANCE_BITS];
} Inflate;

/* Reading the bits of a block's head: all of it, or nothing where the input ends inside. */
typedef struct {
    const uint8_t *next, *end;
    uint64_t bits;
    int64_t count;
} Bits;

static int has(Bits *bits, int wanted) {
    while (bits->count < wanted && bits->next < bits->end) {
        bits->bits |= (uint64_t)*bits->next++ << bits->count;
        bits->count += 8;
    }
    return bits->count >= wanted;
}

static int take(Bits *bits, int wanted) {
    int value = (int)low(bits->bits, wanted);
    bits->bits >>= wanted;
    bits->count -= wanted;
    return value;
}

/* The lengths of both alphabets' codes (RFC 1951, 3.2.7). */
static int read_lengths(Bits *bits, uint8_t *lengths, int *literals, int *distances) {
    static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t own[sizeof order] = {0};
    uint64_t table[1 << LENGTH_CODE_BITS];
    Code code;
    if (!has(bits, 14))
        return NEEDS_INPUT;
    *literals = take(bits, 5) + 257;
    *distances = take(bits, 5) + 1;
    if (*literals > LAST_LENGTH + 1 || *distances > LAST_DISTANCE + 1)
        return DAMAGED;
    int given = take(bits, 4) + 4, filled = 0;
    for (int at = 0; at < given; at++) {
        if (!has(bits, 3))
            return NEEDS_INPUT;
        own[order[at]] = (uint8_t)take(bits, 3);
    }
    if (!make_code(&code, own, sizeof order, 1))
        return DAMAGED;
    fill(table, LENGTH_CODE_BITS, &code, plain_entry);
    while (filled < *literals + *distances) {
        has(bits, LENGTH_CODE_BITS);
        uint64_t entry = table[low(bits->bits, LENGTH_CODE_BITS)];
        int symbol = (int)(entry >> WIDTH_AT), extra = symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
        if (!has(bits, (int)(entry & 63) + extra))
            return NEEDS_INPUT;
        take(bits, (int)(entry & 63));
        if (symbol < 16) {
            lengths[filled++] = (uint8_t)symbol;
            continue;
        }
        int times = take(bits, extra) + (symbol == 18 ? 11 : 3);
        if ((symbol == 16 && !filled) || filled + times > *literals + *distances)
            return DAMAGED;
        memset(lengths + filled, symbol == 16 ? lengths[filled - 1] : 0, (size_t)times);
        filled += times;
    }
    return lengths[END_OF_BLOCK] ? GOES_ON : DAMAGED;
}

static int begin_stored(Inflate *inflate, Bits *bits) {
    take(bits, (int)(bits->count & 7));
    if (!has(bits, 32))
        return NEEDS_INPUT;
    int size = take(bits, 16);
    if ((size ^ take(bits, 16)) != 0xffff)
        return DAMAGED;
    inflate->stored = size;
    inflate->state = IN_STORED;
    return GOES_ON;
}

static int begin_symbols(Inflate *inflate, Bits *bits, int is_fixed) {
    uint8_t lengths[LITERALS + DISTANCES];
    int literals = LITERALS, distances = DISTANCES;
    if (is_fixed) { /* 3.2.6 */
        memset(lengths, 8, 144);
        memset(lengths + 144, 9, 112);
        memset(lengths + 256, 7, 24);
        memset(lengths + 280, 8, 8);
        memset(lengths + LITERALS, 5, DISTANCES);
    } else {
        int read = read_lengths(bits, lengths, &literals, &distances);
        if (read != GOES_ON)
            return read;
    }
    if (!make_code(&inflate->symbols, lengths, literals, 0) || !make_code(&inflate->distances, lengths + literals, distances, 0))
        return DAMAGED;
    inflate->bytes_first = share_of_bytes(lengths) > BYTES_FIRST;
    fill_symbols(inflate->symbol_table, &inflate->symbols);
    fill(inflate->distance_table, DISTANCE_BITS, &inflate->distances, distance_entry);
    inflate->state = IN_SYMBOLS;
    return GOES_ON;
}

static int begin_block(Inflate *inflate) {
    Bits bits = {inflate->in + inflate->in_taken, inflate->in + inflate->in_bytes, inflate->bits, inflate->bit_count};
    if (!has(&bits, 3))
        return NEEDS_INPUT;
    int is_last = take(&bits, 1), kind = take(&bits, 2);
    int begun = kind == 3 ? DAMAGED : kind == 0 ? begin_stored(inflate, &bits) : begin_symbols(inflate, &bits, kind == 1);
    if (begun == GOES_ON) {
        inflate->is_last = is_last;
        inflate->in_taken = bits.next - inflate->in;
        inflate->bits = bits.bits;
        inflate->bit_count = bits.count;
    }
    return begun;
}

static int end_block(Inflate *inflate) {
    inflate->state = inflate->is_last ? AT_END : AT_BLOCK;
    return GOES_ON;
}

static int copy_stored(Inflate *inflate) {
    while (inflate->stored && inflate->bit_count && inflate->at < inflate->end) {
        inflate->out[inflate->at++] = (uint8_t)inflate->bits;
        inflate->bits >>= 8;
        inflate->bit_count -= 8;
        inflate->stored -= 1;
    }
    int64_t size = inflate->stored, room = inflate->end - inflate->at, here = inflate->in_bytes - inflate->in_taken;
    if (size > room)
        size = room > 0 ? room : 0;
    if (size > here)
        size = here;
    memcpy(inflate->out + inflate->at, inflate->in + inflate->in_taken, (size_t)size);
    inflate->at += size;
    inflate->in_taken += size;
    inflate->stored -= size;
    if (!inflate->stored)
        return end_block(inflate);
    return inflate->at >= inflate->end ? NEEDS_ROOM : NEEDS_INPUT;
}

/* One symbol with care: bit by bit, to the last byte of the input. Where something is missing nothing has happened. */
static int take_symbol(Inflate *inflate) {
    while (inflate->bit_count < 49 && inflate->in_taken < inflate->in_bytes) {
        inflate->bits |= (uint64_t)inflate->in[inflate->in_taken++] << inflate->bit_count;
        inflate->bit_count += 8;
    }
    int used, symbol = decode(&inflate->symbols, inflate->bits, inflate->bit_count, &used);
    if (used > inflate->bit_count)
        return NEEDS_INPUT;
    if (symbol < 0 || symbol > LAST_LENGTH)
        return DAMAGED;
    if (symbol >= FIRST_LENGTH) {
        int at = symbol - FIRST_LENGTH, code;
        int64_t length = length_base[at] + (int64_t)low(inflate->bits >> used, length_extra[at]);
        used += length_extra[at];
        if (used > inflate->bit_count)
            return NEEDS_INPUT;
        at = decode(&inflate->distances, inflate->bits >> used, inflate->bit_count - used, &code);
        used += code;
        if (used > inflate->bit_count)
            return NEEDS_INPUT;
        if (at < 0 || at > LAST_DISTANCE)
            return DAMAGED;
        int64_t distance = distance_base[at] + (int64_t)low(inflate->bits >> used, distance_extra[at]);
        used += distance_extra[at];
        if (used > inflate->bit_count)
            return NEEDS_INPUT;
        if (distance > inflate->at - inflate->oldest)
            return DAMAGED;
        for (; length > 0; length--, inflate->at++)
            inflate->out[inflate->at] = inflate->out[inflate->at - distance];
    } else if (symbol < END_OF_BLOCK) {
        inflate->out[inflate->at++] = (uint8_t)symbol;
    }
    inflate->bits >>= used;
    inflate->bit_count -= used;
    return symbol == END_OF_BLOCK ? end_block(inflate) : GOES_ON;
}

/* The index that an entry tells: so many bits, behind those that it takes ("rest": the bits without them). */
INLINE uint64_t index_of(uint64_t bits, uint64_t rest, uint64_t entry, int width, int quick) {
#if defined(__x86_64__)
    if (quick) {
        uint64_t index;
        __asm__("bextr %2, %1, %0" : "=r"(index) : "r"(bits), "r"(entry) : "cc");
        return index;
    }
#endif
    (void)bits, (void)entry, (void)quick;
    return low(rest, width);
}

/* Symbols as long as their entries are in the tables, the input holds a whole refill, and there is room. */
INLINE int take_symbols(Inflate *inflate, int quick, int bytes_first) {
    const uint64_t *const symbols = inflate->symbol_table, *const distances = inflate->distance_table;
    const uint8_t *const first = inflate->in + inflate->in_taken;
    const uint8_t *in = first, *const last_in = inflate->in + inflate->in_bytes - FAST_IN;
    uint8_t *out = inflate->out + inflate->at;
    const uint8_t *const oldest = inflate->out + inflate->oldest, *const end = inflate->out + inflate->end;
    uint64_t bits = inflate->bits | word_at(in) << inflate->bit_count, count = (uint64_t)inflate->bit_count;
    int went = GOES_ON;
    in += (63 - count) >> 3;
    count |= 56;
    uint64_t entry = symbols[low(bits, SYMBOL_BITS)];
    while (in <= last_in && out < end) {
        if (bytes_first && is_byte(entry)) {
            for (int left = BYTES_A_REFILL; left > 0 && is_byte(entry); left--) {
                *out++ = (uint8_t)(entry >> BYTE_AT);
                bits >>= entry & 63;
                count -= entry & 63;
                entry = symbols[low(bits, SYMBOL_BITS)];
            }
            bits |= word_at(in) << count;
            in += (63 - count) >> 3;
            count |= 56;
            continue;
        }
        uint64_t more = word_at(in), rest = bits >> (entry & 63);
        uint64_t distance = distances[index_of(bits, rest, entry, DISTANCE_BITS, quick)];
        uint64_t repeats = 0 - (entry >> REPEATS_AT & 1);
        if (UNLIKELY((entry | (distance & repeats)) >> 63))
            break;
        /* Without a repeat the distance takes no bits; its entry then is any. */
        uint64_t taken = distance & (repeats | 0xff << WIDTH_AT);
        count -= (entry & 63) + (taken & 63);
        bits = rest >> (taken & 63);
        uint64_t next = symbols[index_of(rest, bits, taken, SYMBOL_BITS, quick)];
        bits |= more << count;
        in += (63 - count) >> 3;
        count |= 56;

        uint64_t back = (distance >> BASE_AT & 0xffff) + (low(rest, distance & 63) >> (distance >> CODE_AT & 63));
        *out = (uint8_t)(entry >> BYTE_AT);
        out += entry >> WRITES_AT & 1;
        if (UNLIKELY((back & repeats) > (uint64_t)(out - oldest))) {
            went = DAMAGED;
            break;
        }
        copy_repeat(out, back, entry >> LENGTH_AT & 0xffff, quick);
        out += entry >> LENGTH_AT & 0xffff;
        entry = next;
    }
    /* Whole bytes go back, but for those that an earlier piece of the input brought. */
    int64_t whole = (int64_t)count >> 3;
    if (whole > in - first)
        whole = in - first;
    inflate->in_taken = in - whole - inflate->in;
    inflate->bit_count = (int64_t)count - 8 * whole;
    inflate->bits = low(bits, (int)inflate->bit_count);
    inflate->at = out - inflate->out;
    return went;
}

static int symbols_anywhere(Inflate *inflate) {
    return inflate->bytes_first ? take_symbols(inflate, 0, 1) : take_symbols(inflate, 0, 0);
}

#if defined(__x86_64__)
#define QUICK __attribute__((target("bmi,bmi2")))
#else
#define QUICK
#endif

QUICK static int symbols_quick(Inflate *inflate) { return take_symbols(inflate, 1, 0); }

QUICK static int bytes_quick(Inflate *inflate) { return take_symbols(inflate, 1, 1); }

static int take_most(Inflate *inflate) {
    if (!inflate->quick)
        return symbols_anywhere(inflate);
    return inflate->bytes_first ? bytes_quick(inflate) : symbols_quick(inflate);
}

static int inflate_symbols(Inflate *inflate) {
    int went = GOES_ON;
    while (went == GOES_ON && inflate->state == IN_SYMBOLS) {
        if (inflate->at >= inflate->end)
            return NEEDS_ROOM;
        if (inflate->in_bytes - inflate->in_taken >= FAST_IN)
            went = take_most(inflate);
        if (went == GOES_ON && inflate->at < inflate->end)
            went = take_symbol(inflate);
    }
    return went;
}

/*
 * Go on until something is needed or the stream ends; what was made before is no longer needed, but for the history.
 *
 * Where input is needed, in[in_taken ..] (part of a block's head) must stand before what is added. Where the stream has
 * ended, whole bytes behind it that could not be given back are the lowest of bits.
 */
int casemill_inflate(Inflate *inflate) {
    int64_t made = inflate->at - HISTORY;
    if (made > 0) {
        memmove(inflate->out, inflate->out + made, HISTORY);
        inflate->at = HISTORY;
        inflate->oldest = inflate->oldest > made ? inflate->oldest - made : 0;
    }
    int went = GOES_ON;
    while (went == GOES_ON) {
        switch (inflate->state) {
        case AT_BLOCK: went = begin_block(inflate); break;
        case IN_STORED: went = copy_stored(inflate); break;
        case IN_SYMBOLS: went = inflate_symbols(inflate); break;
        default: went = ENDED;
        }
    }
    if (went == ENDED) {
        inflate->bits >>= inflate->bit_count & 7;
        inflate->bit_count &= ~INT64_C(7);
        while (inflate->bit_count && inflate->in_taken) {
            inflate->bit_count -= 8;
            inflate->in_taken -= 1;
        }
        inflate->bits = low(inflate->bits, (int)inflate->bit_count);
    }
    return went;
}

/* Whether this processor has what the quick variant is compiled for: SSSE3, BMI1 and BMI2. */
int casemill_is_quick(void) {
#if defined(__x86_64__)
    unsigned first, second, third, fourth;
    if (!__get_cpuid(1, &first, &second, &third, &fourth) || !(third & bit_SSSE3))
        return 0;
    return __get_cpuid_count(7, 0, &first, &second, &third, &fourth) && second & bit_BMI && second & bit_BMI2;
#else
    return 0;
#endif
}

const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_inflate_bytes(void) { return (int64_t)sizeof(Inflate); }
