/*
 * The grid of a case in C: here its last steps, in one pass each (histograms, observed shares, imputation and
 * normalisation: spec/vitaldb, steps 5, 6 and 8), in grid_samples.h the first ones. numpy does the same in the modules
 * of this folder; both give the same results to the bit.
 */
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "grid_samples.h"

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

#define INLINE static inline __attribute__((always_inline))

/* What is done to a block is done to all of it, however many of its seconds there are: loops of a fixed length become
 * vectors. */
enum { BLOCK_S = 256 };

/* Whether surely none of a block's values is missing: a sum with a missing one is none either (nor is one of both
 * infinities). */
INLINE int is_whole(const double *values) {
    double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0;
    for (int at = 0; at < BLOCK_S; at += 4) {
        first += values[at];
        second += values[at + 1];
        third += values[at + 2];
        fourth += values[at + 3];
    }
    double sum = first + second + third + fourth;
    return sum == sum;
}

typedef struct {
    int64_t last;    /* the last second with a value; -1: there is none */
    int64_t is_seen; /* whether one was met */
    double latest;
} State;

/* Mirrored field by field in grid_native.py; the state is this library's own. */
typedef struct {
    double before;
    double after;
    double minimum;
    double span;
    int64_t after_hold_s;
    int64_t gap_holds;
    State state;
} Rule;

/* Where each stretch of one value begins, and behind the last one the end; how many there are. One value or more. */
static int64_t stretches(const double *values, int64_t count, int32_t *starts) {
    int64_t found = 1;
    starts[0] = 0;
    for (int64_t at = 1; at < count; at++) {
        starts[found] = (int32_t)at;
        found += values[at] != values[at - 1];
    }
    starts[found] = (int32_t)count;
    return found;
}

/*
 * rows: a feature's seconds on end, NaN where nothing was measured; edges: of each feature, rising at equal distances
 * (up to a quarter of one), two or more. counts [features][edge_count + 1]: [.][i] is raised by the seconds whose value
 * has i edges up to it. A value mostly stands for several seconds.
 */
void casemill_histograms(
    const double *rows, int64_t seconds, int64_t features, const double *edges, int64_t edge_count, int64_t *counts
) {
    int32_t starts[BLOCK_S + 1];
    for (int64_t feature = 0; feature < features; feature++, edges += edge_count, counts += edge_count + 1) {
        const double scale = (double)(edge_count - 1) / (edges[edge_count - 1] - edges[0]);
        for (int64_t begin = 0; begin < seconds; begin += BLOCK_S) {
            const double *values = rows + feature * seconds + begin;
            int64_t found = stretches(values, seconds - begin < BLOCK_S ? seconds - begin : BLOCK_S, starts);
            for (int64_t stretch = 0; stretch < found; stretch++) {
                double value = values[starts[stretch]];
                /* The edge before the one that is nearest, so that it is certain which ones but two are above. */
                double share = (value - edges[0]) * scale - 0.5;
                share = share > 0.0 ? share : 0.0;
                share = share < (double)(edge_count - 2) ? share : (double)(edge_count - 2);
                int64_t low = (int64_t)share, bin = low + (value >= edges[low]) + (value >= edges[low + 1]);
                counts[bin] += value == value ? starts[stretch + 1] - starts[stretch] : 0;
            }
        }
    }
}

/* totals [seconds + 1]: how many of the values before each second are there. */
static void count_measured(const double *values, int64_t seconds, int32_t *totals) {
    int32_t total = 0;
    for (int64_t begin = 0; begin < seconds; begin += BLOCK_S) {
        const double *block = values + begin;
        int32_t *found = totals + begin;
        if (seconds - begin >= BLOCK_S && is_whole(block)) {
            for (int at = 0; at < BLOCK_S; at++)
                found[at] = total + at;
            total += BLOCK_S;
            continue;
        }
        for (int64_t at = 0; at < BLOCK_S && begin + at < seconds; at++) {
            found[at] = total;
            total += block[at] == block[at];
        }
    }
    totals[seconds] = total;
}

/* shares [windows][features]: of each window's seconds, those with a value. totals: room for seconds + 1. */
void casemill_observed(
    const double *rows, int64_t seconds, int64_t features, int64_t windows, int64_t window_s, int64_t step_s,
    int32_t *totals, float *shares
) {
    for (int64_t feature = 0; feature < features; feature++, rows += seconds) {
        count_measured(rows, seconds, totals);
        for (int64_t window = 0; window < windows; window++) {
            const int32_t *start = totals + window * step_s;
            shares[window * features + feature] = (float)((double)(start[window_s] - start[0]) / (double)window_s);
        }
    }
}

INLINE double imputed(const Rule *rule, State *state, int64_t second, double value) {
    if (value == value) {
        state->is_seen = 1;
        state->latest = value;
        return value;
    }
    if (!state->is_seen)
        return rule->before;
    if (second < state->last)
        return rule->gap_holds ? state->latest : 0.0;
    return second <= state->last + rule->after_hold_s ? state->latest : rule->after;
}

INLINE void normalise(const Rule *rule, const double *filled, float *normalised) {
    const double minimum = rule->minimum, span = rule->span;
    for (int at = 0; at < BLOCK_S; at++) {
        float scaled = (float)((filled[at] - minimum) * 2.0 / span - 1.0);
        scaled = scaled > -1.0f ? scaled : -1.0f;
        normalised[at] = scaled < 1.0f ? scaled : 1.0f;
    }
}

/* A feature's block, or what there is of it, from this second on. */
INLINE void normalise_block(Rule *rule, const double *values, int64_t begin, int64_t count, float *normalised) {
    if (count == BLOCK_S && is_whole(values)) {
        rule->state.is_seen = 1;
        rule->state.latest = values[BLOCK_S - 1];
        normalise(rule, values, normalised);
        return;
    }
    double filled[BLOCK_S] = {0};
    State state = rule->state;
    for (int64_t at = 0; at < count; at++)
        filled[at] = imputed(rule, &state, begin + at, values[at]);
    rule->state = state;
    normalise(rule, filled, normalised);
}

/* Features that are written together: a quarter of the writes, of which each goes to a line of its own. */
enum { TOGETHER = 4 };

/* So many seconds of so many features, to every stride-th place of out on. */
INLINE void interleave(float blocks[][BLOCK_S], int64_t features, int64_t count, int64_t stride, float *out) {
    if (features == TOGETHER) {
        for (int64_t at = 0; at < count; at++, out += stride) {
            float values[TOGETHER] = {blocks[0][at], blocks[1][at], blocks[2][at], blocks[3][at]};
            memcpy(out, values, sizeof values);
        }
        return;
    }
    for (int64_t at = 0; at < count; at++, out += stride)
        for (int64_t feature = 0; feature < features; feature++)
            out[feature] = blocks[feature][at];
}

/* In blocks, so that a second's features are written while they stand in a cache. */
INLINE void normalise_rows(const double *rows, int64_t seconds, int64_t features, Rule *rules, float *out) {
    float normalised[TOGETHER][BLOCK_S];
    for (int64_t begin = 0; begin < seconds; begin += BLOCK_S) {
        int64_t count = seconds - begin < BLOCK_S ? seconds - begin : BLOCK_S;
        for (int64_t first = 0; first < features; first += TOGETHER) {
            int64_t together = features - first < TOGETHER ? features - first : TOGETHER;
            for (int64_t one = 0; one < together; one++) {
                const double *values = rows + (first + one) * seconds + begin;
                normalise_block(rules + first + one, values, begin, count, normalised[one]);
            }
            interleave(normalised, together, count, features, out + begin * features + first);
        }
    }
}

#if defined(__x86_64__)
#define QUICK __attribute__((target("avx2")))
#else
#define QUICK
#endif

/* Twice as many values at a time, the same operations on each. */
QUICK static void normalise_quick(const double *rows, int64_t seconds, int64_t features, Rule *rules, float *out) {
    normalise_rows(rows, seconds, features, rules, out);
}

static void normalise_anywhere(const double *rows, int64_t seconds, int64_t features, Rule *rules, float *out) {
    normalise_rows(rows, seconds, features, rules, out);
}

/*
 * rows: a feature's seconds on end, NaN where nothing was measured; out: a second's features on end, none missing;
 * quick: whether the processor has the instructions of that variant.
 */
void casemill_normalised(
    const double *rows, int64_t seconds, int64_t features, Rule *rules, int64_t quick, float *out
) {
    for (int64_t feature = 0; feature < features; feature++) {
        const double *row = rows + feature * seconds;
        State *state = &rules[feature].state;
        state->last = seconds - 1;
        while (state->last >= 0 && row[state->last] != row[state->last])
            state->last -= 1;
        state->is_seen = 0;
    }
    (quick ? normalise_quick : normalise_anywhere)(rows, seconds, features, rules, out);
}

/* Whether this processor has what the quick variant is compiled for, AVX2, and the system keeps its registers.
 * (__builtin_cpu_supports asks the same, but zig cannot link it into a shared library.) */
int casemill_is_quick(void) {
#if defined(__x86_64__)
    enum { KEPT = 6 }; /* the registers' lower and upper halves */
    unsigned first, second, third, fourth, kept, above;
    if (!__get_cpuid(1, &first, &second, &third, &fourth) || !(third & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(kept), "=d"(above) : "c"(0));
    return (kept & KEPT) == KEPT && __get_cpuid_count(7, 0, &first, &second, &third, &fourth) && second & bit_AVX2;
#else
    return 0;
#endif
}

const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_grid_bytes(void) { return (int64_t)(sizeof(Rule) + sizeof(Pressure)); }
