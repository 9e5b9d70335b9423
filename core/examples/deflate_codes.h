/*
 * The best Huffman codes for what was counted (RFC 1951, 3.2): a part of deflate.c, which includes it once.
 */
#include <stdint.h>

enum { END_OF_BLOCK = 256, FIRST_LENGTH = 257, LITERALS = 286, FIXED_LITERALS = 288, DISTANCES = 30, LENGTH_CODES = 19 };
enum { LONGEST_CODE = 14, LONGEST_LENGTH_CODE = 7 };

typedef struct {
    uint32_t code[FIXED_LITERALS]; /* its first bit lowest */
    uint8_t length[FIXED_LITERALS];
} Code;

/* Lengths of a Huffman code in place of ascending weights (Moffat and Katajainen 1995); two or more. */
static void huffman_lengths(uint32_t *weight, int count) {
    int root = 0, leaf = 2, next;
    weight[0] += weight[1];
    for (next = 1; next < count - 1; next++) {
        if (leaf >= count || weight[root] < weight[leaf]) {
            weight[next] = weight[root];
            weight[root++] = (uint32_t)next;
        } else {
            weight[next] = weight[leaf++];
        }
        if (leaf >= count || (root < next && weight[root] < weight[leaf])) {
            weight[next] += weight[root];
            weight[root++] = (uint32_t)next;
        } else {
            weight[next] += weight[leaf++];
        }
    }
    weight[count - 2] = 0;
    for (next = count - 3; next >= 0; next--)
        weight[next] = weight[weight[next]] + 1;
    int available = 1, used = 0, depth = 0;
    root = count - 2;
    next = count - 1;
    while (available > 0) {
        while (root >= 0 && (int)weight[root] == depth) {
            used += 1;
            root -= 1;
        }
        while (available > used) {
            weight[next--] = (uint32_t)depth;
            available -= 1;
        }
        available = 2 * used;
        depth += 1;
        used = 0;
    }
}

/* So many codes of each length that none is longer than `most` and that they fill the space exactly. */
static void limit_lengths(int *of_length, int most) {
    uint32_t taken = 0;
    for (int length = most; length > 0; length--)
        taken += (uint32_t)of_length[length] << (most - length);
    while (taken > UINT32_C(1) << most) {
        int shorter = most - 1;
        while (of_length[shorter] == 0)
            shorter -= 1;
        of_length[most] -= 1;
        of_length[shorter] -= 1;
        of_length[shorter + 1] += 2;
        taken -= 1;
    }
}

static void sort(uint32_t *keys, int count) {
    for (int gap = 121; gap > 0; gap /= 3)
        for (int from = gap; from < count; from++) {
            uint32_t key = keys[from];
            int to = from;
            for (; to >= gap && keys[to - gap] > key; to -= gap)
                keys[to] = keys[to - gap];
            keys[to] = key;
        }
}

/* The code that goes with the lengths (RFC 1951, 3.2.2). With the two as parts of one struct, GCC 12.2 takes this for a
   function without effect and leaves out its calls. */
static void assign_codes(uint32_t *codes, const uint8_t *lengths, int symbols) {
    uint32_t next[LONGEST_CODE + 1], of_length[LONGEST_CODE + 1] = {0}, first = 0;
    for (int symbol = 0; symbol < symbols; symbol++)
        of_length[lengths[symbol]] += 1;
    of_length[0] = next[0] = 0;
    for (int length = 1; length <= LONGEST_CODE; length++) {
        first = (first + of_length[length - 1]) << 1;
        next[length] = first;
    }
    for (int symbol = 0; symbol < symbols; symbol++) {
        uint32_t forward = next[lengths[symbol]]++, backward = 0;
        for (int left = lengths[symbol]; left > 0; left--) {
            backward = backward << 1 | (forward & 1);
            forward >>= 1;
        }
        codes[symbol] = backward;
    }
}

/* The best code for the counts (below 2^23, at most 2^16 together); at least two symbols get one, as decoders want. */
static void best_code(Code *code, uint32_t *counts, int symbols, int most) {
    uint32_t keys[LITERALS], weights[LITERALS] = {0};
    int used = 0, of_length[LONGEST_CODE + 1] = {0};
    for (int symbol = 0; symbol < symbols; symbol++)
        used += counts[symbol] > 0;
    for (int symbol = 0; used < 2; symbol++)
        if (counts[symbol] == 0) {
            counts[symbol] = 1;
            used += 1;
        }
    used = 0;
    for (int symbol = 0; symbol < symbols; symbol++) {
        code->length[symbol] = 0;
        if (counts[symbol] > 0)
            keys[used++] = counts[symbol] << 9 | (uint32_t)symbol;
    }
    sort(keys, used);
    for (int at = 0; at < used; at++)
        weights[at] = keys[at] >> 9;
    huffman_lengths(weights, used);
    for (int at = 0; at < used; at++)
        of_length[weights[at] < (uint32_t)most ? weights[at] : (uint32_t)most] += 1;
    limit_lengths(of_length, most);
    int rarest = 0;
    for (int length = most; length > 0; length--)
        for (int number = of_length[length]; number > 0; number--)
            code->length[keys[rarest++] & 511] = (uint8_t)length;
    assign_codes(code->code, code->length, symbols);
}

static void fixed_codes(Code *literals, Code *distances) {
    for (int symbol = 0; symbol < FIXED_LITERALS; symbol++)
        literals->length[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    for (int symbol = 0; symbol < DISTANCES; symbol++)
        distances->length[symbol] = 5;
    assign_codes(literals->code, literals->length, FIXED_LITERALS);
    assign_codes(distances->code, distances->length, DISTANCES);
}
