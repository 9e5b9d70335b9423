/*
 * Deflate (RFC 1951) for records of which each repeats most of the one before it at distances that are known beforehand.
 *
 * What repeats (deflate_find.h) and what does not become tokens, and the tokens a block with the shorter of the fixed
 * and a dynamic Huffman code. C99: loaded with ctypes, so that one build serves every Python. Every read lies inside
 * data[0 .. end - 1], and no block is written for which there is no room. Numbers are put together byte by byte, which
 * compilers turn into one load or store.
 */
#include <stdint.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "deflate_codes.h"

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { HASH_BITS = 12 };
enum { DONE = 0, NO_ROOM = 1 };
enum { SHORTEST = 4, LONGEST = 258, FARTHEST = 32768, MOST_DISTANCES = 8 };

/* Bytes that stood before, `distance` back; `literals` of those that did not stand before it in the block. */
typedef struct {
    uint32_t literals;
    uint32_t length;
    uint32_t distance;
} Repeat;

/* Mirrored field by field in deflate.py. */
typedef struct {
    const uint8_t *data;
    int64_t position; /* the byte that is next; those before it are what repeats may refer to */
    int64_t end;
    int64_t before; /* bytes of the stream before data[0] */
    int64_t distances[MOST_DISTANCES]; /* the nearest first; 0: none */
    uint32_t last_seen[1 << HASH_BITS];
    int64_t matched; /* bytes */

    /* The block so far, of at most token_room tokens (MOST_TOKENS or more, or nothing fits): literals, and matches of at
       most LONGEST bytes. */
    uint8_t *literals; /* [token_room] */
    int64_t literal_count;
    Repeat *repeats; /* [token_room] */
    int64_t repeat_count;
    int64_t token_room;
    int64_t taken;

    uint8_t *out;
    int64_t out_room;
    int64_t written;
    uint64_t bits; /* not written yet, the first one lowest */
    int64_t bit_count;
} Deflate;

#if defined(__x86_64__)
__attribute__((target("avx"))) static void clear_upper_halves(void) { __builtin_ia32_vzeroupper(); }

/* Whether there are such registers, and the system keeps them. (__builtin_cpu_supports asks the same, but zig cannot
   link it into a shared library.) Asking takes long on virtual machines, so it is done once. */
static int has_upper_halves(void) {
    enum { KEPT = 6 }; /* both halves */
    static int answer = -1;
    unsigned first, second, third, fourth, kept, above;
    if (answer < 0) {
        answer = 0;
        if (__get_cpuid(1, &first, &second, &third, &fourth) && third & bit_OSXSAVE && third & bit_AVX) {
            __asm__ volatile("xgetbv" : "=a"(kept), "=d"(above) : "c"(0));
            answer = (kept & KEPT) == KEPT;
        }
    }
    return answer;
}
#endif

/* isal's checksum leaves the upper halves of vector registers in use, and as long as they are, the instructions for
   SHA-256 take a third longer (Zen 4). */
void casemill_clear_registers(void) {
#if defined(__x86_64__)
    if (has_upper_halves())
        clear_upper_halves();
#endif
}

#include "deflate_find.h"

/* The writer stores eight bytes at a time. */
enum { STORED = 8 };

typedef struct {
    uint8_t *at;
    uint64_t bits; /* not written yet, the first one lowest */
    uint32_t count;
} Writer;

/* ---- blocks ---- */

typedef struct {
    uint32_t symbol;
    uint32_t extra; /* bits */
    uint32_t value; /* of those bits */
} Part;

static inline Part length_part(uint32_t length) {
    uint32_t over = length - 3;
    if (length == LONGEST)
        return (Part){LITERALS - 1, 0, 0};
    if (over < 8)
        return (Part){FIRST_LENGTH + over, 0, 0};
    uint32_t top = 31 - (uint32_t)__builtin_clz(over);
    return (Part){FIRST_LENGTH + 4 * (top - 1) + (over >> (top - 2) & 3), top - 2, over & ((1u << (top - 2)) - 1)};
}

static inline Part distance_part(uint32_t less_one) {
    if (less_one < 4)
        return (Part){less_one, 0, 0};
    uint32_t top = 31 - (uint32_t)__builtin_clz(less_one);
    return (Part){2 * top + (less_one >> (top - 1) & 1), top - 1, less_one & ((1u << (top - 1)) - 1)};
}

/* Bits of the tokens without their extra bits, which cost the same in any code. */
static uint64_t cost(const Code *code, const uint32_t *counts, int symbols) {
    uint64_t bits = 0;
    for (int symbol = 0; symbol < symbols; symbol++)
        bits += (uint64_t)counts[symbol] * code->length[symbol];
    return bits;
}

static inline void store(uint8_t *at, uint64_t bits) {
    at[0] = (uint8_t)bits;
    at[1] = (uint8_t)(bits >> 8);
    at[2] = (uint8_t)(bits >> 16);
    at[3] = (uint8_t)(bits >> 24);
    at[4] = (uint8_t)(bits >> 32);
    at[5] = (uint8_t)(bits >> 40);
    at[6] = (uint8_t)(bits >> 48);
    at[7] = (uint8_t)(bits >> 56);
}

/* At most 56 bits at once. */
static inline void put(Writer *writer, uint64_t value, uint32_t count) {
    writer->bits |= value << writer->count;
    writer->count += count;
    store(writer->at, writer->bits);
    writer->at += writer->count >> 3;
    writer->bits >>= writer->count & ~7u;
    writer->count &= 7;
}

/* The lengths of both codes, as one row in which repeats are shortened (RFC 1951, 3.2.7). */
typedef struct {
    Code code;
    uint32_t counts[LENGTH_CODES];
    uint8_t symbols[LITERALS + DISTANCES];
    uint8_t repeats[LITERALS + DISTANCES];
    int count;
    int literals;
    int distances;
    int listed; /* of the lengths of the code lengths' own code */
} Header;

static const uint8_t ORDER[LENGTH_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

static uint32_t repeat_bits(uint32_t symbol) { return symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7; }

static void put_repeat(Header *header, uint8_t symbol, int repeat) {
    header->symbols[header->count] = symbol;
    header->repeats[header->count] = (uint8_t)repeat;
    header->counts[symbol] += 1;
    header->count += 1;
}

static void make_header(Header *header, const Code *literals, const Code *distances) {
    uint8_t lengths[LITERALS + DISTANCES];
    int total = 0;
    *header = (Header){.literals = LITERALS, .distances = DISTANCES, .listed = LENGTH_CODES};
    while (literals->length[header->literals - 1] == 0)
        header->literals -= 1; /* not below the end of the block, which always has a code */
    while (distances->length[header->distances - 1] == 0)
        header->distances -= 1;
    for (int symbol = 0; symbol < header->literals; symbol++)
        lengths[total++] = literals->length[symbol];
    for (int symbol = 0; symbol < header->distances; symbol++)
        lengths[total++] = distances->length[symbol];
    for (int at = 0, run; at < total; at += run) {
        for (run = 1; at + run < total && lengths[at + run] == lengths[at];)
            run += 1;
        if (lengths[at] == 0 && run >= 3) {
            run = run < 138 ? run : 138;
            put_repeat(header, run < 11 ? 17 : 18, run - (run < 11 ? 3 : 11));
        } else if (at > 0 && lengths[at - 1] == lengths[at] && run >= 3) {
            run = run < 6 ? run : 6;
            put_repeat(header, 16, run - 3);
        } else {
            run = 1;
            put_repeat(header, lengths[at], 0);
        }
    }
    best_code(&header->code, header->counts, LENGTH_CODES, LONGEST_LENGTH_CODE);
    while (header->listed > 4 && header->code.length[ORDER[header->listed - 1]] == 0)
        header->listed -= 1;
}

static uint64_t header_bits(const Header *header) {
    uint64_t bits = 5 + 5 + 4 + 3 * (uint64_t)header->listed;
    for (int at = 0; at < header->count; at++)
        bits += header->code.length[header->symbols[at]] + repeat_bits(header->symbols[at]);
    return bits;
}

static void put_header(Writer *writer, const Header *header) {
    put(writer, (uint64_t)(header->literals - FIRST_LENGTH), 5);
    put(writer, (uint64_t)(header->distances - 1), 5);
    put(writer, (uint64_t)(header->listed - 4), 4);
    for (int at = 0; at < header->listed; at++)
        put(writer, header->code.length[ORDER[at]], 3);
    for (int at = 0; at < header->count; at++) {
        uint8_t symbol = header->symbols[at];
        put(writer, header->code.code[symbol], header->code.length[symbol]);
        put(writer, header->repeats[at], repeat_bits(symbol));
    }
}

/* A repeat as deflate has them: so many matches of LONGEST bytes, and one or two that are shorter. */
typedef struct {
    uint32_t whole;
    uint32_t first; /* 0: none */
    uint32_t last;
} Pieces;

static inline Pieces pieces(uint32_t length) {
    if (length <= LONGEST)
        return (Pieces){0, 0, length};
    uint32_t whole = (length - SHORTEST) / LONGEST, rest = length - whole * LONGEST;
    if (rest <= LONGEST)
        return (Pieces){whole, 0, rest};
    return (Pieces){whole, rest - 2 * SHORTEST, 2 * SHORTEST};
}

/* What the writer puts for a symbol and what goes with it: the bits, and below them how many they are. */
enum { COUNT_BITS = 6 };

static inline uint64_t bits_of(uint64_t entry) { return entry >> COUNT_BITS; }

static inline uint32_t count_of(uint64_t entry) { return entry & ((1u << COUNT_BITS) - 1); }

static inline uint64_t entry(const Code *code, Part part) {
    uint64_t bits = code->code[part.symbol] | (uint64_t)part.value << code->length[part.symbol];
    return bits << COUNT_BITS | (code->length[part.symbol] + part.extra);
}

static inline uint64_t joined(uint64_t first, uint64_t second) {
    uint32_t count = count_of(first);
    return (bits_of(first) | bits_of(second) << count) << COUNT_BITS | (count + count_of(second));
}

static inline void put_entry(Writer *writer, uint64_t entry) { put(writer, bits_of(entry), count_of(entry)); }

/* Two and two: what waits for what is shorter than one after the other. */
static inline void put_four(Writer *writer, const uint32_t *entries, const uint8_t *literals) {
    uint32_t one = entries[literals[0]], two = entries[literals[1]], three = entries[literals[2]], four = entries[literals[3]];
    uint32_t half = count_of(one) + count_of(two);
    uint64_t first = bits_of(one) | bits_of(two) << count_of(one), second = bits_of(three) | bits_of(four) << count_of(three);
    put(writer, first | second << half, half + count_of(three) + count_of(four));
}

static void put_tokens(Writer *to, const Deflate *deflate, const Code *literals, const Code *distances) {
    uint32_t of_literal[END_OF_BLOCK], of_length[LONGEST + 1];
    const uint8_t *literal = deflate->literals, *literals_end = literal + deflate->literal_count;
    const Repeat *repeat = deflate->repeats, *repeats_end = repeat + deflate->repeat_count;
    Writer writer = *to;
    for (uint32_t symbol = 0; symbol < END_OF_BLOCK; symbol++)
        of_literal[symbol] = (uint32_t)entry(literals, (Part){symbol, 0, 0});
    for (uint32_t length = 3; length <= LONGEST; length++)
        of_length[length] = (uint32_t)entry(literals, length_part(length));
    for (;; repeat++) {
        const uint8_t *until = repeat < repeats_end ? deflate->literals + repeat->literals : literals_end;
        for (; until - literal >= 4; literal += 4)
            put_four(&writer, of_literal, literal);
        for (; literal < until; literal++)
            put_entry(&writer, of_literal[*literal]);
        if (repeat == repeats_end)
            break;
        Pieces found = pieces(repeat->length);
        uint64_t distance = entry(distances, distance_part(repeat->distance - 1));
        for (uint32_t left = found.whole; left > 0; left--)
            put_entry(&writer, joined(of_length[LONGEST], distance));
        if (found.first)
            put_entry(&writer, joined(of_length[found.first], distance));
        put_entry(&writer, joined(of_length[found.last], distance));
    }
    put(&writer, literals->code[END_OF_BLOCK], literals->length[END_OF_BLOCK]);
    *to = writer;
}

/* Counts the symbols of the block; returns the extra bits. */
static uint64_t count_symbols(const Deflate *deflate, uint32_t *literals, uint32_t *distances) {
    uint32_t lengths[LONGEST + 1] = {0}, others[END_OF_BLOCK] = {0};
    const uint8_t *literal = deflate->literals, *end = literal + deflate->literal_count;
    uint64_t extra = 0;
    for (; end - literal >= 2; literal += 2) {
        literals[literal[0]] += 1;
        others[literal[1]] += 1;
    }
    if (literal < end)
        literals[*literal] += 1;
    for (int symbol = 0; symbol < END_OF_BLOCK; symbol++)
        literals[symbol] += others[symbol];
    for (int64_t at = 0; at < deflate->repeat_count; at++) {
        Pieces found = pieces(deflate->repeats[at].length);
        uint32_t number = found.whole + (found.first > 0) + 1;
        Part distance = distance_part(deflate->repeats[at].distance - 1);
        lengths[LONGEST] += found.whole;
        lengths[found.first] += found.first > 0;
        lengths[found.last] += 1;
        distances[distance.symbol] += number;
        extra += (uint64_t)number * distance.extra;
    }
    for (uint32_t length = 3; length <= LONGEST; length++) {
        Part part = length_part(length);
        literals[part.symbol] += lengths[length];
        extra += (uint64_t)lengths[length] * part.extra;
    }
    literals[END_OF_BLOCK] = 1;
    return extra;
}

/* Write the tokens as a block, the last one if `final`; with no room for it nothing is written. */
int casemill_deflate_write(Deflate *deflate, int final) {
    uint32_t literal_counts[LITERALS] = {0}, distance_counts[DISTANCES] = {0};
    Code literals, distances, fixed_literals, fixed_distances;
    Header header;
    uint64_t extra = count_symbols(deflate, literal_counts, distance_counts);
    fixed_codes(&fixed_literals, &fixed_distances);
    uint64_t fixed = cost(&fixed_literals, literal_counts, LITERALS) + cost(&fixed_distances, distance_counts, DISTANCES);
    best_code(&literals, literal_counts, LITERALS, LONGEST_CODE);
    best_code(&distances, distance_counts, DISTANCES, LONGEST_CODE);
    make_header(&header, &literals, &distances);
    uint64_t dynamic = cost(&literals, literal_counts, LITERALS) + cost(&distances, distance_counts, DISTANCES);
    dynamic += header_bits(&header);
    int is_fixed = fixed <= dynamic;
    /* The end of the stream is filled up to a whole byte; the store of the last bits reaches over them. */
    uint64_t bits = (uint64_t)deflate->bit_count + 3 + (is_fixed ? fixed : dynamic) + extra + 7;
    if (deflate->written + (int64_t)(bits / 8) + STORED > deflate->out_room)
        return NO_ROOM;
    Writer writer = {deflate->out + deflate->written, deflate->bits, (uint32_t)deflate->bit_count};
    put(&writer, final != 0, 1);
    put(&writer, is_fixed ? 1 : 2, 2);
    if (!is_fixed)
        put_header(&writer, &header);
    if (is_fixed)
        put_tokens(&writer, deflate, &fixed_literals, &fixed_distances);
    else
        put_tokens(&writer, deflate, &literals, &distances);
    store(writer.at, writer.bits);
    deflate->written = writer.at - deflate->out + (final ? (writer.count + 7) >> 3 : 0);
    deflate->bits = writer.bits;
    deflate->bit_count = writer.count;
    deflate->literal_count = deflate->repeat_count = deflate->taken = 0;
    return DONE;
}

/* What the loader compares: a build of another source or for another layout of Deflate must not run. */
const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_deflate_bytes(void) { return (int64_t)sizeof(Deflate); }
