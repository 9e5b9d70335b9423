/*
 * The grid of a case in C: here its last steps, in one pass each (histograms, observed shares, imputation and
 * normalisation: spec/vitaldb, steps 5, 6 and 8), in grid_samples.h the first ones. numpy does the same in the modules
 * of this folder; both give the same results to the bit.
 */
#include <stdint.h>
#include <string.h>

#include "grid_samples.h"

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

/* What is done to a block is done to all of it, however many of its seconds there are: loops of a fixed length become
 * vectors. */
enum { BLOCK_S = 256 };

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

/* shares [windows][features]: of each window's seconds, those with a value. totals: room for seconds + 1. */
void casemill_observed(
    const double *rows, int64_t seconds, int64_t features, int64_t windows, int64_t window_s, int64_t step_s,
    int32_t *totals, float *shares
) {
    for (int64_t feature = 0; feature < features; feature++, rows += seconds) {
        int32_t total = 0;
        for (int64_t second = 0; second < seconds; second++) {
            totals[second] = total;
            total += rows[second] == rows[second];
        }
        totals[seconds] = total;
        for (int64_t window = 0; window < windows; window++) {
            const int32_t *start = totals + window * step_s;
            shares[window * features + feature] = (float)((double)(start[window_s] - start[0]) / (double)window_s);
        }
    }
}

static double imputed(const Rule *rule, State *state, int64_t second, double value) {
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

static void normalise(const Rule *rule, const double *filled, float *normalised) {
    const double minimum = rule->minimum, span = rule->span;
    for (int at = 0; at < BLOCK_S; at++) {
        float scaled = (float)((filled[at] - minimum) * 2.0 / span - 1.0);
        scaled = scaled > -1.0f ? scaled : -1.0f;
        normalised[at] = scaled < 1.0f ? scaled : 1.0f;
    }
}

/*
 * rows: a feature's seconds on end, NaN where nothing was measured; out: a second's features on end, none missing.
 * In blocks, so that a second's features are written while they stand in a cache.
 */
void casemill_normalised(const double *rows, int64_t seconds, int64_t features, Rule *rules, float *out) {
    double filled[BLOCK_S] = {0};
    float normalised[BLOCK_S];
    for (int64_t feature = 0; feature < features; feature++) {
        const double *row = rows + feature * seconds;
        State *state = &rules[feature].state;
        state->last = seconds - 1;
        while (state->last >= 0 && row[state->last] != row[state->last])
            state->last -= 1;
        state->is_seen = 0;
    }
    for (int64_t begin = 0; begin < seconds; begin += BLOCK_S) {
        int64_t count = seconds - begin < BLOCK_S ? seconds - begin : BLOCK_S;
        for (int64_t feature = 0; feature < features; feature++) {
            const double *row = rows + feature * seconds + begin;
            Rule *rule = rules + feature;
            State state = rule->state;
            for (int64_t at = 0; at < count; at++)
                filled[at] = imputed(rule, &state, begin + at, row[at]);
            rule->state = state;
            normalise(rule, filled, normalised);
            for (int64_t at = 0; at < count; at++)
                out[(begin + at) * features + feature] = normalised[at];
        }
    }
}

const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_grid_bytes(void) { return (int64_t)(sizeof(Rule) + sizeof(Pressure)); }
