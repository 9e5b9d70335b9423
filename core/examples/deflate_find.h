/*
 * Repeats in the data, and what is between them: a part of deflate.c, which includes it once.
 *
 * Data are taken for values of four bytes. VALUES of them at a time are held against those the nearest distance before,
 * a row; one that differs begins a repeat at another distance, which may be long, or repeats what followed where the
 * same value last stood, or is four literals. What is taken for values need not be any: only speed and size depend on it.
 */
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { VALUE = 4, VALUES = 64 };
/* What is searched at a time takes no more tokens. */
enum { MOST_TOKENS = VALUE * VALUES };
/* Bytes that are compared at once; where so many are equal, and where many more are. */
enum { AT_ONCE = 32, MANY = 128, MANY_AT_ONCE = 256 };

static inline uint32_t u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* How many of AT_ONCE bytes from `here` on are those from `there` on, up to the first that is not. */
static inline int64_t equal_at_once(const uint8_t *here, const uint8_t *there) {
#ifdef __SSE2__
    const __m128i *a = (const __m128i *)here, *b = (const __m128i *)there;
    __m128i first = _mm_cmpeq_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b));
    __m128i second = _mm_cmpeq_epi8(_mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1));
    uint64_t equal = (uint32_t)_mm_movemask_epi8(first) | (uint64_t)(uint32_t)_mm_movemask_epi8(second) << 16;
    return __builtin_ctzll(~equal);
#else
    int64_t equal = 0;
    while (equal < AT_ONCE && here[equal] == there[equal])
        equal += 1;
    return equal;
#endif
}

static int64_t equal_beyond(const uint8_t *here, const uint8_t *there, const uint8_t *end) {
    const uint8_t *start = here;
    while (end - here >= AT_ONCE) {
        int64_t equal = equal_at_once(here, there);
        here += equal;
        there += equal;
        if (equal < AT_ONCE)
            return here - start;
        if (here - start == MANY)
            while (end - here >= MANY_AT_ONCE && memcmp(here, there, MANY_AT_ONCE) == 0) {
                here += MANY_AT_ONCE;
                there += MANY_AT_ONCE;
            }
    }
    while (here < end && *here == *there) {
        here += 1;
        there += 1;
    }
    return here - start;
}

/* How many bytes from `here` on are those from `there` on; there < here <= end. */
static inline int64_t equal_bytes(const uint8_t *here, const uint8_t *there, const uint8_t *end) {
    if (end - here >= AT_ONCE) {
        int64_t equal = equal_at_once(here, there);
        if (equal < AT_ONCE)
            return equal;
    }
    return equal_beyond(here, there, end);
}

/* Which of VALUES values from `here` on equal those from `there` on, the first one lowest. */
static inline uint64_t equal_values(const uint8_t *here, const uint8_t *there) {
    uint64_t equal = 0;
#ifdef __SSE2__
    for (int at = 0; at < VALUES; at += 16) {
        const __m128i *a = (const __m128i *)(here + at * VALUE), *b = (const __m128i *)(there + at * VALUE);
        __m128i first = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_loadu_si128(a), _mm_loadu_si128(b)),
                                        _mm_cmpeq_epi32(_mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1)));
        __m128i second = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_loadu_si128(a + 2), _mm_loadu_si128(b + 2)),
                                         _mm_cmpeq_epi32(_mm_loadu_si128(a + 3), _mm_loadu_si128(b + 3)));
        equal |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(first, second)) << at;
    }
#else
    for (int at = 0; at < VALUES; at++)
        equal |= (uint64_t)(u32(here + at * VALUE) == u32(there + at * VALUE)) << at;
#endif
    return equal;
}

typedef struct {
    const uint8_t *end;
    int64_t near; /* the nearest distance; 0: none */
    int64_t far[MOST_DISTANCES]; /* the others */
    int64_t fars;
} Search;

/* Tokens in the making. */
typedef struct {
    uint8_t *literals;
    uint8_t *literal; /* the next one */
    Repeat *repeats;
    Repeat *repeat; /* the next one */
    int64_t room;
    int64_t matched;
} Tokens;

/* One that goes on where the last one ended, at the same distance, becomes a part of it. */
static inline void add_repeat(Tokens *to, int64_t length, int64_t distance) {
    uint32_t literals = (uint32_t)(to->literal - to->literals);
    Repeat *last = to->repeat - 1;
    if (to->repeat > to->repeats && last->distance == distance && last->literals == literals)
        last->length += (uint32_t)length;
    else
        *to->repeat++ = (Repeat){literals, (uint32_t)length, (uint32_t)distance};
    to->room -= 1 + (uint32_t)(length - 1) / LONGEST;
    to->matched += length;
}

static inline void add_literals(Tokens *to, const uint8_t *from, int64_t count) {
    memcpy(to->literal, from, (size_t)count);
    to->literal += count;
    to->room -= count;
}

/* As much of it as there is room for, where there is room for a token of four literals. */
static inline int64_t that_fits(const Tokens *to, int64_t length) {
    int64_t most = (to->room - 3) * (LONGEST - SHORTEST);
    return length < most ? length : most;
}

/* The longest match at a far distance in place of the one at hand, if it is longer; `position` bytes are before it. */
static void longest_far(const Search *search, const uint8_t *here, int64_t position, int64_t *length, int64_t *distance) {
    for (int64_t at = 0; at < search->fars; at++) {
        if (search->far[at] > position)
            continue;
        int64_t found = equal_bytes(here, here - search->far[at], search->end);
        if (found < AT_ONCE) /* or the values behind it would begin within a value from here on */
            found &= -VALUE;
        if (found > *length) {
            *length = found;
            *distance = search->far[at];
        }
    }
}

static inline int is_far(const Search *search, const uint8_t *here, int64_t position) {
    int is = 0;
    for (int64_t at = 0; at < search->fars; at++)
        if (search->far[at] <= position)
            is |= u32(here) == u32(here - search->far[at]);
    return is;
}

/*
 * Turn `count` values from `here` on into tokens, and more where a match reaches farther; returns where it ended.
 * `position` bytes are before them, `now` bytes (modulo 2^32) in the whole stream.
 */
static const uint8_t *search_values(const Search *search, Tokens *to, uint32_t *last_seen, const uint8_t *here,
                                    int64_t position, uint32_t now, int64_t count) {
    uint32_t earlier[VALUES];
    uint64_t differing = ~UINT64_C(0) >> (VALUES - count);
    int64_t near = search->near <= position ? search->near : 0;
    if (near && count == VALUES)
        differing = ~equal_values(here, here - near);
    if (!differing) {
        int64_t length = that_fits(to, equal_bytes(here, here - near, search->end));
        add_repeat(to, length, near);
        return here + length;
    }
    for (int64_t at = 0; at < count; at++) {
        uint32_t *seen = last_seen + (u32(here + at * VALUE) * UINT32_C(2654435761) >> (32 - HASH_BITS));
        earlier[at] = *seen;
        *seen = now + (uint32_t)(at * VALUE);
    }
    Tokens tokens = *to;
    int64_t at = 0;
    while (at < count) {
        uint64_t rest = differing >> at;
        int64_t run = rest ? __builtin_ctzll(rest) : count - at;
        if (run > 0) {
            add_repeat(&tokens, run * VALUE, near);
            at += run;
            if (at == count)
                break;
        }
        const uint8_t *value = here + at * VALUE;
        int64_t before = position + at * VALUE, most = before < FARTHEST ? before : FARTHEST;
        int64_t distance = (uint32_t)(now + (uint32_t)(at * VALUE) - earlier[at]), length = 0;
        if (distance > 0 && distance <= most && u32(value) == u32(value - distance)) {
            length = equal_bytes(value, value - distance, search->end);
            length &= -VALUE;
        }
        if (is_far(search, value, before))
            longest_far(search, value, before, &length, &distance);
        if (length == 0) {
            add_literals(&tokens, value, VALUE);
            at += 1;
            continue;
        }
        length = that_fits(&tokens, length);
        add_repeat(&tokens, length, distance);
        if (length % VALUE) {
            *to = tokens;
            return value + length;
        }
        at += length / VALUE;
    }
    *to = tokens;
    return here + at * VALUE;
}

/* Turn data[position .. end - 1] into tokens, until there is no room for more. */
int casemill_deflate_find(Deflate *deflate) {
    const uint8_t *data = deflate->data, *here = data + deflate->position;
    Search search = {.end = data + deflate->end};
    Tokens tokens = {
        .literals = deflate->literals,
        .literal = deflate->literals + deflate->literal_count,
        .repeats = deflate->repeats,
        .repeat = deflate->repeats + deflate->repeat_count,
        .room = deflate->token_room - deflate->taken,
        .matched = deflate->matched,
    };
    for (int at = 0; at < MOST_DISTANCES; at++) {
        int64_t distance = deflate->distances[at];
        if (distance <= 0 || distance > FARTHEST)
            continue;
        if (search.near)
            search.far[search.fars++] = distance;
        else
            search.near = distance;
    }
    casemill_clear_registers();
    while (here < search.end && tokens.room >= MOST_TOKENS) {
        int64_t count = (search.end - here) / VALUE, position = here - data;
        if (count > 0) {
            count = count < VALUES ? count : VALUES;
            here = search_values(&search, &tokens, deflate->last_seen, here, position,
                                 (uint32_t)(deflate->before + position), count);
        } else {
            add_literals(&tokens, here, search.end - here);
            here = search.end;
        }
    }
    deflate->literal_count = tokens.literal - tokens.literals;
    deflate->repeat_count = tokens.repeat - tokens.repeats;
    deflate->taken = deflate->token_room - tokens.room;
    deflate->position = here - data;
    deflate->matched = tokens.matched;
    return here < search.end ? NO_ROOM : DONE;
}
