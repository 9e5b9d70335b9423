/*
 * The first steps of the grid: pressures that contradict each other are let go, and each second takes the sample that
 * holds (spec/vitaldb, steps 2 and 4). clean.py, grid.py and signals.py do the same with numpy.
 *
 * Times and seconds come in rising order; where they did not, the results would differ, but nothing is read or written
 * outside the samples and the seconds that are told of.
 */
#ifndef CASEMILL_GRID_SAMPLES_H
#define CASEMILL_GRID_SAMPLES_H

#include <stdint.h>
#include <string.h>

enum { PRESSURES = 3 };

/* The one NaN that numpy calls so: grids are kept with all their bits. */
static double missing(void) {
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A pressure's samples; those of the second that is looked at are begin .. at - 1, the last valid one is last. */
typedef struct {
    const int64_t *seconds;
    const double *values;
    uint8_t *valid;
    int64_t count;
    int64_t hits; /* samples that were let go */
    int64_t begin;
    int64_t at;
    int64_t last;
} Pressure;

/* Go on to the next second with a valid sample; whether there is one. */
static int next_second(Pressure *pressure) {
    int64_t at = pressure->at;
    while (at < pressure->count && !pressure->valid[at])
        at += 1;
    pressure->begin = pressure->last = at;
    if (at == pressure->count) {
        pressure->at = at;
        return 0;
    }
    int64_t second = pressure->seconds[at];
    for (at += 1; at < pressure->count && pressure->seconds[at] == second; at++)
        if (pressure->valid[at])
            pressure->last = at;
    pressure->at = at;
    return 1;
}

static int contradict(const Pressure *pressures, double tolerance) {
    double systolic = pressures[0].values[pressures[0].last];
    double diastolic = pressures[1].values[pressures[1].last];
    double mean = pressures[2].values[pressures[2].last];
    return diastolic > mean + tolerance || mean > systolic + tolerance;
}

/* Systolic, diastolic and mean, in mmHg: samples of a second whose last ones contradict each other become invalid. */
void casemill_contradictions(Pressure *pressures, double tolerance) {
    for (int which = 0; which < PRESSURES; which++)
        if (!next_second(pressures + which))
            return;
    for (;;) {
        int64_t latest = INT64_MIN;
        int are_together = 1;
        for (int which = 0; which < PRESSURES; which++) {
            int64_t second = pressures[which].seconds[pressures[which].last];
            are_together &= which == 0 || second == latest;
            latest = second > latest ? second : latest;
        }
        if (are_together && contradict(pressures, tolerance)) {
            for (int which = 0; which < PRESSURES; which++) {
                Pressure *pressure = pressures + which;
                for (int64_t at = pressure->begin; at < pressure->at; at++) {
                    pressure->hits += pressure->valid[at];
                    pressure->valid[at] = 0;
                }
            }
        }
        for (int which = 0; which < PRESSURES; which++) {
            Pressure *pressure = pressures + which;
            if ((are_together || pressure->seconds[pressure->last] < latest) && !next_second(pressure))
                return;
        }
    }
}

/*
 * Which sample each second takes: the last valid one before its end, where its age at the second is within the hold; -1
 * where there is none. valid may be NULL: all are. places: room for one more than there are seconds.
 *
 * No step waits for whether a sample is in the next second, which nobody can foretell: first each sample is put into its
 * second, invalid ones behind all seconds, then each empty second takes what the one before has.
 */
void casemill_places(
    int64_t count, const double *times, const uint8_t *valid, double hold_s, int64_t seconds, int32_t *places
) {
    const double end = (double)seconds;
    memset(places, 0xff, (size_t)(seconds + 1) * sizeof *places);
    for (int64_t at = 0; at < count && times[at] < end; at++) {
        int64_t second = times[at] > 0.0 ? (int64_t)times[at] : 0;
        places[valid == 0 || valid[at] ? second : seconds] = (int32_t)at;
    }
    int32_t latest = -1;
    for (int64_t second = 0; second < seconds; second++) {
        latest = places[second] > latest ? places[second] : latest;
        places[second] = latest >= 0 && (double)second - times[latest] > hold_s ? -1 : latest;
    }
}

/* Mirrored in grid_native.py by three addresses. */
typedef struct {
    const double *values;
    const int32_t *places;
    double *row;
} Taken;

/* To each row the values at its places; missing at -1. */
void casemill_taken(const Taken *taken, int64_t count, int64_t seconds) {
    const double nothing = missing();
    for (const Taken *end = taken + count; taken < end; taken++) {
        const double *values = taken->values;
        const int32_t *places = taken->places;
        double *row = taken->row;
        for (int64_t second = 0; second < seconds; second++) {
            int32_t place = places[second];
            row[second] = place < 0 ? nothing : values[place];
        }
    }
}

/* Reorders: what is below the pivot (or at it, where asked for) comes first; where that ends. */
static int64_t split(double *values, int64_t begin, int64_t end, double pivot, int takes_equal) {
    int64_t kept = begin;
    for (int64_t at = begin; at < end; at++) {
        double value = values[at];
        values[at] = values[kept];
        values[kept] = value;
        kept += (value < pivot) | (takes_equal & (value == pivot));
    }
    return kept;
}

static double middle_of(double one, double other, double third) {
    double low = one < other ? one : other, high = one < other ? other : one;
    return third < low ? low : third > high ? high : third;
}

/* Of the values from begin to end, two or more, one that is likely to be near their middle. */
static double likely_middle(const double *values, int64_t begin, int64_t end) {
    double thirds[3];
    int64_t step = (end - 1 - begin) / 8;
    for (int third = 0; third < 3; third++) {
        const double *at = values + begin + 3 * third * step;
        thirds[third] = middle_of(at[0], at[step], at[2 * step]);
    }
    return middle_of(thirds[0], thirds[1], thirds[2]);
}

/*
 * The middle interval between the times, or the mean of the two in the middle; NaN where that took more than so many
 * rounds, which only times that were made for it need. Two times or more; intervals: room for one less.
 */
double casemill_median_interval(int64_t count, const double *times, int64_t rounds, double *intervals) {
    int64_t begin = 0, end = count - 1, middle = end / 2;
    int is_even = end % 2 == 0;
    for (int64_t at = 0; at < end; at++)
        intervals[at] = times[at + 1] - times[at];
    while (end - begin > 1) {
        if (rounds-- == 0)
            return missing();
        double pivot = likely_middle(intervals, begin, end);
        int64_t below = split(intervals, begin, end, pivot, 0);
        if (middle < below) {
            end = below;
            continue;
        }
        begin = split(intervals, below, end, pivot, 1);
        if (middle < begin)
            break; /* all from below to begin are the pivot */
    }
    double upper = intervals[middle], lower = intervals[0];
    if (!is_even)
        return upper;
    for (int64_t at = 1; at < middle; at++)
        lower = intervals[at] > lower ? intervals[at] : lower;
    return (lower + upper) / 2.0;
}

#endif
