/*
 * The tables that decode a block's symbols: a part of inflate.c, which includes it once.
 *
 * A symbol is a byte, or a repeat: a length and a distance. Where the codes of both fit SYMBOL_BITS, one look-up gives
 * them together. The next symbol waits for nothing but the step to it, so that stands in a table of its own, which stays
 * in the first cache; whatever else an entry holds may come late.
 */
#include <stdint.h>
#include <string.h>

/* A refill gives enough for two symbols of the tables (13 bits more than an index, each) or one of any kind (48 bits), and
   the index behind them. */
enum { SYMBOL_BITS = 11 };

/*
 * An entry, read field by field from memory. Bits 0-15: the least distance. 16-31: bytes repeated. 32-39: the bits that
 * stand before those that add to the distance, and 40-47 how many those are, the two together as BEXTR wants to be told.
 * 48-55: the byte. 56-63: its kind.
 */
enum { LENGTH_AT = 16, BEFORE_AT = 32, EXTRA_AT = 40, BYTE_AT = 48, KIND_AT = 56 };
/* The first two are the number of bytes that are written before the repeat. */
enum { REPEAT = 0, BYTE = 1, END = 2, WRONG = 3 };
#define NOTHING UINT64_C(0)
/* Where a byte's repeat of no bytes is read: what stands nearer may still be on its way to memory. */
enum { ASIDE = 128 };
enum { MOST_REPEATS = 257 };

static uint64_t kind_entry(int kind, int bits) { return (uint64_t)kind << KIND_AT | (uint64_t)bits << BEFORE_AT; }

static uint64_t byte_entry(int byte, int bits) { return kind_entry(BYTE, bits) | (uint64_t)byte << BYTE_AT | ASIDE; }

static uint64_t repeat_entry(int length, int bits) { return kind_entry(REPEAT, bits) | (uint64_t)length << LENGTH_AT; }

/* What a distance adds to the entry of its repeat. */
static uint64_t distance_entry(int symbol, int bits) {
    return symbol > LAST_DISTANCE ? kind_entry(WRONG, bits)
                                  : kind_entry(REPEAT, bits) | (uint64_t)distance_extra[symbol] << EXTRA_AT | distance_base[symbol];
}

static int bits_before(uint64_t entry) { return (int)(entry >> BEFORE_AT & 0xff); }

static int all_bits(uint64_t entry) { return bits_before(entry) + (int)(entry >> EXTRA_AT & 0xff); }

static int kind_of(uint64_t entry) { return (int)(entry >> KIND_AT); }

static uint8_t byte_of(uint64_t entry) { return (uint8_t)(entry >> BYTE_AT); }

static uint64_t length_of(uint64_t entry) { return entry >> LENGTH_AT & 0xffff; }

static uint64_t distance_of(uint64_t entry, uint64_t bits) {
    return (entry & 0xffff) + low(bits >> bits_before(entry), entry >> EXTRA_AT & 0xff);
}

/* The entry of the symbol that bits begin with: found without the tables, or the tables' own with what is missing. */
static uint64_t whole_entry(uint64_t entry, uint64_t bits, const Code *symbols, const Code *distances) {
    int used, least = 1;
    if (entry != NOTHING) {
        if (entry & 0xffff || kind_of(entry) != REPEAT)
            return entry;
        least = SYMBOL_BITS + 1 - bits_before(entry); /* shorter codes would be part of it */
    } else {
        int symbol = decode(symbols, bits, 1, &used), at = symbol - FIRST_LENGTH;
        if (symbol < 0 || symbol > LAST_LENGTH)
            return kind_entry(WRONG, used);
        if (symbol <= END_OF_BLOCK)
            return symbol == END_OF_BLOCK ? kind_entry(END, used) : byte_entry(symbol, used);
        entry = repeat_entry(length_base[at] + (int)low(bits >> used, length_extra[at]), used + length_extra[at]);
    }
    int symbol = decode(distances, bits >> bits_before(entry), least, &used);
    return entry + (symbol < 0 ? kind_entry(WRONG, used) : distance_entry(symbol, used));
}

/* By the index that a symbol's code begins. */
typedef struct {
    uint16_t step[1 << SYMBOL_BITS]; /* all bits of the symbol as BEXTR wants to be told the next index; 0 where more is to do */
    uint64_t entry[1 << SYMBOL_BITS]; /* without a distance where that does not fit; NOTHING where not even a length does */
} Tables;

/* The codes of lengths with what their extra bits add, in the order of the bits of both. */
typedef struct {
    int end[SYMBOL_BITS + 1]; /* of those of so many bits */
    uint16_t index[MOST_REPEATS];
    uint64_t entry[MOST_REPEATS];
} Repeats;

static void find_repeats(Repeats *repeats, const Code *code) {
    int first[SYMBOL_BITS + 2], count = 0;
    first[1] = 0;
    for (int bits = 1; bits <= SYMBOL_BITS; bits++)
        first[bits + 1] = first[bits] + code->count[bits];
    repeats->end[0] = 0;
    for (int all = 1; all <= SYMBOL_BITS; all++) {
        for (int extra = 0, bits = all; extra <= MOST_LENGTH_EXTRA && bits > 0; extra++, bits--)
            for (int place = first[bits]; place < first[bits + 1]; place++) {
                int at = code->symbol[place] - FIRST_LENGTH;
                if (at < 0 || at >= LENGTHS || length_extra[at] != extra)
                    continue;
                for (int more = 0; more < 1 << extra; more++, count++) {
                    repeats->index[count] = (uint16_t)(code->index[place] | more << bits);
                    repeats->entry[count] = repeat_entry(length_base[at] + more, all);
                }
            }
        repeats->end[all] = count;
    }
}

INLINE void put(Tables *tables, int index, uint64_t entry, int is_plain) {
    tables->entry[index] = entry;
    tables->step[index] = is_plain ? (uint16_t)(SYMBOL_BITS << 8 | all_bits(entry)) : 0;
}

/* Repeats whose lengths take some of so many bits, and their distances the others. */
static void join(Tables *tables, int bits, const Repeats *repeats, const Code *distances) {
    for (int far = 1, first = 0; far < bits; first += distances->count[far++])
        for (int at = first; at < first + distances->count[far]; at++) {
            int near = bits - far;
            uint64_t distance = distance_entry(distances->symbol[at], far);
            for (int repeat = repeats->end[near - 1]; repeat < repeats->end[near]; repeat++) {
                uint64_t entry = repeats->entry[repeat] + distance, length = entry >> LENGTH_AT & 0xffff;
                int in_one_go = length <= FAST_COPY && length <= (entry & 0xffff);
                put(tables, repeats->index[repeat] | distances->index[at] << near, entry, in_one_go);
            }
        }
}

/* Both tables double with each length of code. */
static void fill_tables(Tables *tables, const Code *symbols, const Code *distances) {
    Repeats repeats;
    find_repeats(&repeats, symbols);
    put(tables, 0, NOTHING, 0);
    for (int bits = 1, at = 0; bits <= SYMBOL_BITS; bits++) {
        int half = 1 << (bits - 1);
        memcpy(tables->entry + half, tables->entry, (size_t)half * sizeof *tables->entry);
        memcpy(tables->step + half, tables->step, (size_t)half * sizeof *tables->step);
        for (int number = symbols->count[bits]; number > 0; number--, at++)
            if (symbols->symbol[at] < END_OF_BLOCK)
                put(tables, symbols->index[at], byte_entry(symbols->symbol[at], bits), 1);
            else
                put(tables, symbols->index[at], NOTHING, 0);
        for (int repeat = repeats.end[bits - 1]; repeat < repeats.end[bits]; repeat++)
            put(tables, repeats.index[repeat], repeats.entry[repeat], 0);
        join(tables, bits, &repeats, distances);
    }
}
