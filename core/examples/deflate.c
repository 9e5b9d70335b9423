/*
 * Deflate (RFC 1951) for records of which each repeats most of the one before it at distances that are known beforehand.
 *
 * Matches are looked for at those distances, and where the same four bytes last stood; they become tokens, and
 * the tokens a block with the shorter of the fixed and a dynamic Huffman code. Plain C99 without a library: loaded with
 * ctypes, so that one build serves every Python. Every read lies inside data[0 .. end - 1], and no block is written for
 * which there is no room. Numbers are put together byte by byte, which compilers turn into one load or store.
 */
#include <stdint.h>

#include "deflate_codes.h"

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { DONE = 0, NO_ROOM = 1 };
enum { SHORTEST = 4, LONGEST = 258, FARTHEST = 32768, MOST_DISTANCES = 8 };
/* A far match takes more bits than a near one: it must be worth them. */
enum { SHORTEST_FAR = 6, FAR = 1024 };
/* A match of so many bytes is taken without a look at the other distances. */
enum { LONG_ENOUGH = 258 };
enum { HASH_BITS = 12 };
/* A token is a literal's byte, or this with a match's length above its distance less one. */
#define MATCH (UINT32_C(1) << 31)
enum { LENGTH_AT = 16 };
/* The writer stores eight bytes at a time. */
enum { STORED = 8 };

/* Mirrored field by field in deflate.py. */
typedef struct {
    const uint8_t *data;
    int64_t position; /* the byte that is next; those before it are what matches may refer to */
    int64_t end;
    int64_t before; /* bytes of the stream before data[0] */
    int64_t distances[MOST_DISTANCES]; /* the nearest first; 0: none */
    uint32_t last_seen[1 << HASH_BITS];
    int64_t matched; /* bytes */

    uint32_t *tokens;
    int64_t token_room;
    int64_t taken;

    uint8_t *out;
    int64_t out_room;
    int64_t written;
    uint64_t bits; /* not written yet, the first one lowest */
    int64_t bit_count;
} Deflate;

typedef struct {
    uint8_t *at;
    uint64_t bits; /* not written yet, the first one lowest */
    uint32_t count;
} Writer;

static inline uint32_t u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t u64(const uint8_t *at) { return (uint64_t)u32(at) | (uint64_t)u32(at + 4) << 32; }

/* ---- tokens ---- */

/* How many bytes from `here` on are those from `there` on; there < here <= end. */
static int64_t equal_bytes(const uint8_t *here, const uint8_t *there, const uint8_t *end) {
    const uint8_t *start = here;
    while (end - here >= 32 && !((u64(here) ^ u64(there)) | (u64(here + 8) ^ u64(there + 8)) |
                                 (u64(here + 16) ^ u64(there + 16)) | (u64(here + 24) ^ u64(there + 24)))) {
        here += 32;
        there += 32;
    }
    while (end - here >= 8) {
        uint64_t differing = u64(here) ^ u64(there);
        if (differing)
            return here - start + __builtin_ctzll(differing) / 8;
        here += 8;
        there += 8;
    }
    while (here < end && *here == *there) {
        here += 1;
        there += 1;
    }
    return here - start;
}

static inline uint32_t *put_match(uint32_t *token, int64_t length, int64_t distance) {
    while (length > 0) {
        int64_t piece = length < LONGEST ? length : LONGEST;
        if (length > piece && length - piece < SHORTEST)
            piece -= SHORTEST;
        *token++ = MATCH | (uint32_t)piece << LENGTH_AT | (uint32_t)(distance - 1);
        length -= piece;
    }
    return token;
}

/* Turn data[position .. end - 1] into tokens, until there is no room for more. */
int casemill_deflate_find(Deflate *deflate) {
    const uint8_t *data = deflate->data, *end = data + deflate->end;
    int64_t position = deflate->position, known = 0, matched = 0;
    uint32_t *token = deflate->tokens + deflate->taken;
    uint32_t *token_end = deflate->tokens + deflate->token_room;
    int64_t distances[MOST_DISTANCES];
    for (int at = 0; at < MOST_DISTANCES; at++)
        if (deflate->distances[at] > 0 && deflate->distances[at] <= FARTHEST)
            distances[known++] = deflate->distances[at];
    while (position < deflate->end && token < token_end) {
        const uint8_t *here = data + position;
        int64_t longest = 0, nearest = 0;
        if (end - here >= SHORTEST) {
            uint32_t four = u32(here);
            for (int64_t at = 0; at < known && longest < LONG_ENOUGH; at++) {
                int64_t distance = distances[at];
                if (distance <= position && u32(here - distance) == four) {
                    int64_t length = equal_bytes(here, here - distance, end);
                    if (length > longest) {
                        longest = length;
                        nearest = distance;
                    }
                }
            }
            uint32_t now = (uint32_t)(deflate->before + position);
            uint32_t *seen = deflate->last_seen + (four * UINT32_C(2654435761) >> (32 - HASH_BITS));
            int64_t distance = now - *seen;
            *seen = now;
            if (longest < LONG_ENOUGH && distance > 0 && distance <= FARTHEST && distance <= position && u32(here - distance) == four) {
                int64_t length = equal_bytes(here, here - distance, end);
                if (length > longest) {
                    longest = length;
                    nearest = distance;
                }
            }
            if (longest > 0 && longest < SHORTEST_FAR && nearest > FAR)
                longest = 0;
        }
        if (longest == 0) {
            /* Four at once: values have four bytes or eight, and where none is found the next byte has none either. */
            for (int left = 4; left > 0 && position < deflate->end && token < token_end; left--)
                *token++ = data[position++];
            continue;
        }
        int64_t most = (token_end - token) * (LONGEST - SHORTEST);
        if (longest > most)
            longest = most;
        token = put_match(token, longest, nearest);
        position += longest;
        matched += longest;
    }
    deflate->taken = token - deflate->tokens;
    deflate->position = position;
    deflate->matched += matched;
    return position < deflate->end ? NO_ROOM : DONE;
}

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

static inline uint32_t length_of(uint32_t token) { return token >> LENGTH_AT & 511; }

static inline uint32_t distance_of(uint32_t token) { return token & (FARTHEST - 1); }

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

/* At most 48 bits at once. */
static inline void put(Writer *writer, uint64_t value, uint32_t count) {
    writer->bits |= value << writer->count;
    writer->count += count;
    if (writer->count > 63 - 48) {
        store(writer->at, writer->bits);
        writer->at += writer->count >> 3;
        writer->bits >>= writer->count & ~7u;
        writer->count &= 7;
    }
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

static Writer put_tokens(Writer writer, const uint32_t *token, const uint32_t *end, const Code *literals, const Code *distances) {
    for (; token < end; token++) {
        if (!(*token & MATCH)) {
            put(&writer, literals->code[*token], literals->length[*token]);
            continue;
        }
        Part length = length_part(length_of(*token)), distance = distance_part(distance_of(*token));
        uint64_t bits = literals->code[length.symbol];
        uint32_t count = literals->length[length.symbol];
        bits |= (uint64_t)length.value << count;
        count += length.extra;
        bits |= (uint64_t)distances->code[distance.symbol] << count;
        count += distances->length[distance.symbol];
        bits |= (uint64_t)distance.value << count;
        put(&writer, bits, count + distance.extra);
    }
    put(&writer, literals->code[END_OF_BLOCK], literals->length[END_OF_BLOCK]);
    return writer;
}

/* Write the tokens as a block, the last one if `final`; with no room for it nothing is written. */
int casemill_deflate_write(Deflate *deflate, int final) {
    uint32_t literal_counts[LITERALS] = {0}, distance_counts[DISTANCES] = {0};
    Code literals, distances, fixed_literals, fixed_distances;
    Header header;
    uint64_t extra = 0;
    for (int64_t at = 0; at < deflate->taken; at++) {
        uint32_t token = deflate->tokens[at];
        if (token & MATCH) {
            Part length = length_part(length_of(token)), distance = distance_part(distance_of(token));
            literal_counts[length.symbol] += 1;
            distance_counts[distance.symbol] += 1;
            extra += length.extra + distance.extra;
        } else {
            literal_counts[token] += 1;
        }
    }
    literal_counts[END_OF_BLOCK] = 1;
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
    const uint32_t *end = deflate->tokens + deflate->taken;
    put(&writer, final != 0, 1);
    put(&writer, is_fixed ? 1 : 2, 2);
    if (!is_fixed)
        put_header(&writer, &header);
    if (is_fixed)
        writer = put_tokens(writer, deflate->tokens, end, &fixed_literals, &fixed_distances);
    else
        writer = put_tokens(writer, deflate->tokens, end, &literals, &distances);
    store(writer.at, writer.bits);
    deflate->written = writer.at - deflate->out + (final ? (writer.count + 7) >> 3 : 0);
    deflate->bits = writer.bits;
    deflate->bit_count = writer.count;
    deflate->taken = 0;
    return DONE;
}

/* What the loader compares: a build of another source or for another layout of Deflate must not run. */
const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_deflate_bytes(void) { return (int64_t)sizeof(Deflate); }
