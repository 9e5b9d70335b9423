/*
 * Inflating one deflate stream (RFC 1951), piece by piece: raw content, without the gzip around it.
 *
 * Recordings are full of short repeats: of ten symbols, six are repeats of three to six bytes and four are single
 * bytes, in no order that a processor could foretell. Decoders with a branch for each kind guess wrong every other time,
 * and that is most of their time. Here both kinds take the same way: a table's entry says how many bits to go on, whether
 * a byte is written, and how many bytes are copied, which may be none. What remains is waiting, as a symbol's place is
 * known when the one before has been looked up; so one look-up gives a repeat's length and distance together, and nothing
 * else stands in that way.
 *
 * Plain C99 (and one instruction of x86 where it has it), loaded with ctypes. Nothing in the stream is trusted: reads
 * stay inside in[0 .. in_bytes - 1] and the given buffer, and what zlib calls damaged is damaged here.
 */
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { NEEDS_INPUT = 0, NEEDS_ROOM = 1, ENDED = 2, DAMAGED = 3, GOES_ON = 4 };

#include "inflate_words.h"
#include "inflate_codes.h"
#include "inflate_lengths.h"
#include "inflate_table.h"

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { AT_BLOCK = 0, IN_STORED = 1, IN_SYMBOLS = 2, AT_END = 3 };
enum { HISTORY = 32768 };

/* Mirrored field by field in inflate_native.py, up to the tables. */
typedef struct {
    const uint8_t *in;
    int64_t in_bytes;
    int64_t in_taken;

    uint8_t *out;   /* HISTORY bytes, and behind them room for end - HISTORY bytes, one symbol more and some words */
    int64_t oldest; /* the first byte of the stream's content that stands in out */
    int64_t at;     /* the next byte; the content since the last call is out[HISTORY .. at - 1] */
    int64_t end;    /* no symbol begins here or behind */

    uint64_t bits; /* read and not used yet, lowest first */
    int64_t bit_count;
    int64_t state;
    int64_t is_last; /* the block at hand */
    int64_t stored;  /* bytes of a stored block that are left */
    int64_t quick;   /* whether the processor has the instructions of that variant */

    Code symbols, distances;
    Tables tables;
} Inflate;

static int begin_stored(Inflate *inflate, Bits *bits) {
    take(bits, bits->count & 7);
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
    fill_tables(&inflate->tables, &inflate->symbols, &inflate->distances);
    inflate->state = IN_SYMBOLS;
    return GOES_ON;
}

static int begin_block(Inflate *inflate) {
    Bits bits = {inflate->in + inflate->in_taken, inflate->in + inflate->in_bytes, inflate->bits, (uint64_t)inflate->bit_count};
    if (!has(&bits, 3))
        return NEEDS_INPUT;
    int is_last = take(&bits, 1), kind = take(&bits, 2);
    int begun = kind == 3 ? DAMAGED : kind == 0 ? begin_stored(inflate, &bits) : begin_symbols(inflate, &bits, kind == 1);
    if (begun == GOES_ON) {
        inflate->is_last = is_last;
        inflate->in_taken = bits.next - inflate->in;
        inflate->bits = low(bits.bits, bits.count);
        inflate->bit_count = (int64_t)bits.count;
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

/* One symbol with care, to the last byte of the input. Where something is missing nothing has happened. */
static int take_symbol(Inflate *inflate) {
    while (inflate->bit_count < 49 && inflate->in_taken < inflate->in_bytes) {
        inflate->bits |= (uint64_t)inflate->in[inflate->in_taken++] << inflate->bit_count;
        inflate->bit_count += 8;
    }
    uint64_t entry = whole_entry(NOTHING, inflate->bits, &inflate->symbols, &inflate->distances);
    if (all_bits(entry) > inflate->bit_count)
        return NEEDS_INPUT;
    int kind = kind_of(entry);
    int64_t distance = (int64_t)distance_of(entry, inflate->bits), length = (int64_t)length_of(entry);
    if (kind == WRONG || (kind == REPEAT && distance > inflate->at - inflate->oldest))
        return DAMAGED;
    inflate->bits >>= all_bits(entry);
    inflate->bit_count -= all_bits(entry);
    if (kind == END)
        return end_block(inflate);
    if (kind == BYTE)
        inflate->out[inflate->at++] = byte_of(entry);
    for (; length > 0; length--, inflate->at++)
        inflate->out[inflate->at] = inflate->out[inflate->at - distance];
    return GOES_ON;
}

/* What the loop keeps in registers. */
typedef struct {
    uint64_t bits, count, index; /* index: of the next symbol */
    uint8_t *out;
} Turn;

/* What BEXTR makes of control: so many bits (its bits 8-15) behind so many others (0-7). */
INLINE uint64_t between(uint64_t bits, uint64_t control, int quick) {
#if defined(__x86_64__)
    if (quick) {
        uint64_t found;
        __asm__("bextr %2, %1, %0" : "=r"(found) : "r"(bits), "r"(control) : "cc");
        return found;
    }
#endif
    (void)quick;
    return low(bits >> (control & 63), control >> 8);
}

INLINE uint64_t pair_at(const uint8_t *at) {
    uint16_t pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

/* A byte, or a repeat that is copied in one go, without a branch; whether the distance was allowed, where that is asked. */
INLINE int take_plain(Turn *turn, const uint64_t *entry, uint64_t step, const uint8_t *oldest, int quick, int checked) {
    const uint8_t *fields = (const uint8_t *)entry;
    uint64_t distance = pair_at(fields) + between(turn->bits, pair_at(fields + BEFORE_AT / 8), quick);
    uint64_t kind = fields[KIND_AT / 8];
    uint8_t copied[FAST_COPY];
    turn->index = quick ? between(turn->bits, step, quick) : low(turn->bits >> (step & 63), SYMBOL_BITS);
    turn->bits >>= step & 63;
    turn->count -= step & 63;
    *turn->out = fields[BYTE_AT / 8];
    turn->out += kind;
    if (checked && UNLIKELY(distance > (uint64_t)(turn->out - oldest)) && kind == REPEAT)
        return 0;
    memcpy(copied, turn->out - distance, FAST_COPY);
    memcpy(turn->out, copied, FAST_COPY);
    turn->out += pair_at(fields + LENGTH_AT / 8);
    return 1;
}

/* Any other symbol. The end of a block, and what is no symbol, is left to those who take more care: NEEDS_INPUT. */
INLINE int take_other(Turn *turn, uint64_t entry, const Code *symbols, const Code *distances, const uint8_t *oldest) {
    entry = whole_entry(entry, turn->bits, symbols, distances);
    if (kind_of(entry) >= END)
        return NEEDS_INPUT;
    uint64_t distance = distance_of(entry, turn->bits);
    turn->bits >>= all_bits(entry);
    turn->count -= (uint64_t)all_bits(entry);
    turn->index = low(turn->bits, SYMBOL_BITS);
    *turn->out = byte_of(entry);
    turn->out += kind_of(entry);
    if (UNLIKELY(distance > (uint64_t)(turn->out - oldest)) && kind_of(entry) == REPEAT)
        return DAMAGED;
    copy_repeat(turn->out, distance, length_of(entry));
    turn->out += length_of(entry);
    return GOES_ON;
}

/* Symbols as long as the input holds a whole refill, and there is room; checked: whether distances may be too far. */
INLINE int take_symbols(Inflate *inflate, int quick, int checked) {
    const uint64_t *const entries = inflate->tables.entry;
    const uint16_t *const steps = inflate->tables.step;
    const uint8_t *const first = inflate->in + inflate->in_taken;
    const uint8_t *in = first, *const last_in = inflate->in + inflate->in_bytes - WORD;
    const uint8_t *const oldest = inflate->out + inflate->oldest, *const end = inflate->out + inflate->end;
    Turn turn = {inflate->bits, (uint64_t)inflate->bit_count, 0, inflate->out + inflate->at};
    int went = GOES_ON;
    refill(&turn.bits, &turn.count, &in, word_at(in));
    turn.index = low(turn.bits, SYMBOL_BITS);
    while (in <= last_in && turn.out < end) {
        uint64_t more = word_at(in), step = steps[turn.index];
        if (LIKELY(step)) {
            if (!take_plain(&turn, entries + turn.index, step, oldest, quick, checked)) {
                went = DAMAGED;
                break;
            }
            step = steps[turn.index];
            if (LIKELY(step) && !take_plain(&turn, entries + turn.index, step, oldest, quick, checked)) {
                went = DAMAGED;
                break;
            }
        } else {
            went = take_other(&turn, entries[turn.index], &inflate->symbols, &inflate->distances, oldest);
            if (went != GOES_ON)
                break;
        }
        refill(&turn.bits, &turn.count, &in, more);
    }
    /* Whole bytes go back, but for those that an earlier piece of the input brought. */
    int64_t whole = (int64_t)turn.count >> 3;
    if (whole > in - first)
        whole = in - first;
    inflate->in_taken = in - whole - inflate->in;
    inflate->bit_count = (int64_t)turn.count - 8 * whole;
    inflate->bits = low(turn.bits, (uint64_t)inflate->bit_count);
    inflate->at = turn.out - inflate->out;
    return went == DAMAGED ? DAMAGED : GOES_ON;
}

#if defined(__x86_64__)
#define QUICK __attribute__((target("bmi,bmi2")))
#else
#define QUICK
#endif

QUICK static int begin_quick(Inflate *inflate) { return take_symbols(inflate, 1, 1); }

QUICK static int go_on_quick(Inflate *inflate) { return take_symbols(inflate, 1, 0); }

static int begin_anywhere(Inflate *inflate) { return take_symbols(inflate, 0, 1); }

static int go_on_anywhere(Inflate *inflate) { return take_symbols(inflate, 0, 0); }

/* Behind a whole history every distance is allowed. */
static int take_most(Inflate *inflate) {
    if (inflate->at - inflate->oldest < HISTORY)
        return inflate->quick ? begin_quick(inflate) : begin_anywhere(inflate);
    return inflate->quick ? go_on_quick(inflate) : go_on_anywhere(inflate);
}

static int inflate_symbols(Inflate *inflate) {
    int went = GOES_ON;
    while (went == GOES_ON && inflate->state == IN_SYMBOLS) {
        if (inflate->at >= inflate->end)
            return NEEDS_ROOM;
        if (inflate->in_bytes - inflate->in_taken >= WORD)
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
        inflate->bits = low(inflate->bits, (uint64_t)inflate->bit_count);
    }
    return went;
}

/* Whether this processor has what the quick variant is compiled for: BMI1 and BMI2. */
int casemill_is_quick(void) {
#if defined(__x86_64__)
    unsigned first, second, third, fourth;
    return __get_cpuid_count(7, 0, &first, &second, &third, &fourth) && second & bit_BMI && second & bit_BMI2;
#else
    return 0;
#endif
}

const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_inflate_bytes(void) { return (int64_t)sizeof(Inflate); }
