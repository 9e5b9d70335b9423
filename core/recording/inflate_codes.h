/*
 * The codes of deflate (RFC 1951, 3.2): a part of inflate.c, which includes it once.
 */
#include <stdint.h>
#include <string.h>

enum { LITERALS = 288, DISTANCES = 32, LONGEST_CODE = 15 };
enum { END_OF_BLOCK = 256, FIRST_LENGTH = 257, LAST_LENGTH = 285, LAST_DISTANCE = 29, LENGTHS = 29 };

/* How the lengths of one alphabet's codes give its codes. Codes of one length stand in a row, and rows in order: as numbers
   of LONGEST_CODE bits, first bit highest, all codes of a length are less than its limit, and those of shorter ones less. */
typedef struct {
    uint16_t count[LONGEST_CODE + 1]; /* of each length; at 0: of all */
    uint16_t limit[LONGEST_CODE + 1];
    int16_t offset[LONGEST_CODE + 1]; /* from a code of the length to where its symbol stands */
    uint16_t symbol[LITERALS];        /* in the order of the codes */
    uint16_t index[LITERALS];         /* the code as it stands in the stream, its first bit lowest */
} Code;

/* RFC 1951, 3.2.5 */
static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                         193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distance_extra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                         6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
enum { MOST_LENGTH_EXTRA = 5 };

#define FOUR(bits) (bits), (bits) + 128, (bits) + 64, (bits) + 192
#define SIXTEEN(bits) FOUR(bits), FOUR((bits) + 32), FOUR((bits) + 16), FOUR((bits) + 48)
#define SIXTY_FOUR(bits) SIXTEEN(bits), SIXTEEN((bits) + 8), SIXTEEN((bits) + 4), SIXTEEN((bits) + 12)

/* Sixteen bits the other way round. */
static uint16_t reversed(uint32_t bits) {
    static const uint8_t of_byte[] = {SIXTY_FOUR(0), SIXTY_FOUR(2), SIXTY_FOUR(1), SIXTY_FOUR(3)};
    return (uint16_t)(of_byte[bits & 0xff] << 8 | of_byte[bits >> 8 & 0xff]);
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
    uint32_t value = 0;
    for (int length = 1; length <= LONGEST_CODE; length++, value <<= 1) {
        code->offset[length] = (int16_t)(next[length] - (int)value);
        for (int at = next[length]; at < next[length + 1]; at++)
            code->index[at] = reversed(value++ << (16 - length));
        code->limit[length] = (uint16_t)(value << (LONGEST_CODE - length));
    }
    for (int symbol = 0; symbol < symbols; symbol++)
        if (lengths[symbol])
            code->symbol[next[lengths[symbol]]++] = (uint16_t)symbol;
    return left == 0 || (!all_given && longest <= 1);
}

/* The symbol whose code comes first in bits, and how many it takes: no fewer than those given; -1 and one where no code
   begins so. */
static int decode(const Code *code, uint64_t bits, int length, int *used) {
    int value = reversed((uint32_t)bits) >> (16 - LONGEST_CODE);
    while (length <= LONGEST_CODE && value >= code->limit[length])
        length++;
    *used = length <= LONGEST_CODE ? length : 1;
    return length <= LONGEST_CODE ? code->symbol[code->offset[length] + (value >> (LONGEST_CODE - length))] : -1;
}
