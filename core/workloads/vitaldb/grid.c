/*
 * The last steps from a grid to windows, in one pass each: histograms, imputation and normalisation
 * (spec/vitaldb, steps 5 and 6). grid.py and quality.py do the same with numpy; both give the same results to the bit.
 */
#include <stdint.h>

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { BLOCK_S = 512 };

typedef struct {
    int64_t last;    /* the last second with a value; -1: there is none */
    int64_t is_seen; /* whether one was met */
    double latest;
    double value; /* what was normalised last, and what it gave */
    double normalised;
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

/* How many of the rising edges are not above the value. They mostly stand at equal distances, so a guess is mostly right. */
static int64_t edges_up_to(double value, const double *edges, int64_t count) {
    double share = (value - edges[0]) / (edges[count - 1] - edges[0]) * (double)(count - 1);
    int64_t bin = share > 0 ? share < (double)count ? (int64_t)share + 1 : count : 0;
    while (bin > 0 && value < edges[bin - 1])
        bin -= 1;
    while (bin < count && value >= edges[bin])
        bin += 1;
    return bin;
}

/* counts[i] is raised by the seconds whose value has i edges up to it; NaN counts nowhere. Two edges or more. */
void casemill_histogram(const double *values, int64_t seconds, const double *edges, int64_t edge_count, int64_t *counts) {
    double latest = 0;
    int64_t bin = -1;
    for (int64_t second = 0; second < seconds; second++) {
        double value = values[second];
        if (value != value)
            continue;
        /* A value stands for several seconds. */
        if (bin < 0 || value != latest) {
            latest = value;
            bin = edges_up_to(value, edges, edge_count);
        }
        counts[bin] += 1;
    }
}

static double normalise(const Rule *rule, double value) {
    double scaled = (value - rule->minimum) * 2.0 / rule->span - 1.0;
    return scaled < -1.0 ? -1.0 : scaled > 1.0 ? 1.0 : scaled;
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

/*
 * rows: a feature's seconds on end, NaN where nothing was measured; out: a second's features on end, none missing.
 * In blocks, so that a second's features are written while they stand in a cache.
 */
void casemill_normalised(const double *rows, int64_t seconds, int64_t features, Rule *rules, float *out) {
    for (int64_t feature = 0; feature < features; feature++) {
        const double *row = rows + feature * seconds;
        State *state = &rules[feature].state;
        state->last = seconds - 1;
        while (state->last >= 0 && row[state->last] != row[state->last])
            state->last -= 1;
        state->is_seen = 0;
        state->value = rules[feature].before;
        state->normalised = normalise(rules + feature, state->value);
    }
    for (int64_t begin = 0; begin < seconds; begin += BLOCK_S) {
        int64_t end = begin + BLOCK_S < seconds ? begin + BLOCK_S : seconds;
        for (int64_t feature = 0; feature < features; feature++) {
            const double *row = rows + feature * seconds;
            const Rule *rule = rules + feature;
            State state = rule->state;
            for (int64_t second = begin; second < end; second++) {
                double value = imputed(rule, &state, second, row[second]);
                if (value != state.value) {
                    state.value = value;
                    state.normalised = normalise(rule, value);
                }
                out[second * features + feature] = (float)state.normalised;
            }
            rules[feature].state = state;
        }
    }
}

const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_grid_bytes(void) { return (int64_t)sizeof(Rule); }
