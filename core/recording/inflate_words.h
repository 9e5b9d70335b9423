/*
 * Words and bits: reading them, and copying repeats by the word. A part of inflate.c, which includes it once.
 */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Repeats of more bytes are not copied in one go. */
enum { FAST_COPY = 16, WORD = 8, REFILL_BITS = 56 };

/* The lowest byte first: a library for a machine that has it otherwise is not loaded. */
INLINE uint64_t word_at(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, WORD);
    return word;
}

INLINE uint64_t low(uint64_t bits, uint64_t count) { return bits & ((UINT64_C(1) << count) - 1); }

/* From count bits to 64, as the next word of the input gives them, of which count then tells those of whole bytes: at least
   REFILL_BITS. The others are the bits to come, and will be given again. */
INLINE void refill(uint64_t *bits, uint64_t *count, const uint8_t **in, uint64_t word) {
    *bits |= word << *count;
    *in += (63 - *count) >> 3;
    *count |= REFILL_BITS;
}

INLINE void copy_word(uint8_t *to, const uint8_t *from) { memcpy(to, from, WORD); }

/* The next multiple of a distance that is a word or more. */
INLINE uint64_t in_words(uint64_t distance) {
    static const uint8_t multiple[] = {8, 8, 8, 9, 8, 10, 12, 14};
    return LIKELY(distance >= WORD) ? distance : multiple[distance];
}

/* Writes the bytes from so far behind to[0] up to to[FAST_COPY - 1], repeated where they overlap. */
INLINE void copy_sixteen(uint8_t *to, uint64_t distance) {
    /* Which of the bytes within a word are repeated, and what lays them out. */
    static const uint64_t pattern[] = {0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff};
    static const uint64_t times[] = {0, 0x0101010101010101, 0x0001000100010001, 0x0001000001000001, 0x0000000100000001,
                                     0x0000010000000001, 0x0001000000000001, 0x0100000000000001};
    uint64_t word = word_at(to - distance);
    if (UNLIKELY(distance < WORD))
        word = (word & pattern[distance]) * times[distance];
    memcpy(to, &word, WORD);
    copy_word(to + WORD, to + WORD - in_words(distance));
}

/* Copies length bytes from so far behind to[0]: up to FAST_COPY + WORD bytes more are written. */
INLINE void copy_repeat(uint8_t *to, uint64_t distance, uint64_t length) {
    copy_sixteen(to, distance);
    if (UNLIKELY(length > FAST_COPY)) {
        uint64_t back = in_words(distance);
        for (uint64_t done = FAST_COPY; done < length; done += WORD)
            copy_word(to + done, to + done - back);
    }
}
