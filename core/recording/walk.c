/*
 * The walk over the packets of one block of an inflated .vital recording (spec/vitaldb, "The recording format").
 *
 * plain.py does the same in Python and numpy; both must give the same results to the bit. Plain C99 without a
 * library: loaded with ctypes, so that one build serves every Python. Nothing that stands in the file is trusted:
 * every read lies inside a packet, and every packet inside buffer[0 .. end - 1]. Numbers are put together byte by
 * byte, which compilers turn into one load, so that neither alignment nor byte order of the machine matter.
 */
#include <float.h>
#include <stdint.h>

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { TRACK = 0, RECORD = 1, DEVICE = 9 };
enum { HEADER_BYTES = 5, INFO_BYTES = 10, RECORD_BYTES = 2 + INFO_BYTES };
enum { TIME_AT = HEADER_BYTES + 2, NUMBER_AT = HEADER_BYTES + INFO_BYTES };
enum { F32 = 1, F64, I8, U8, I16, U16, I32, U32 };
enum { UNDECLARED = 0 };
enum { END = 0, DECLARATION = 1, NO_ROOM = 2 };

/* Mirrored field by field in native.py. */
typedef struct {
    const uint8_t *buffer;
    int64_t end;
    int64_t position; /* the packet that is next */
    int64_t found;    /* where the track or device packet begins that the walk stopped behind */
    int64_t *counts;  /* packets by type [256] */

    /* The register's columns, one row per declaration, and the row in force of each track number [65536]. */
    const int32_t *in_force;
    const uint8_t *format;
    const int64_t *bytes_needed;
    const double *gain;
    const double *offset;
    const uint8_t *collected;
    int64_t *records;
    int64_t *record_bytes;

    int64_t packets;
    int64_t read;
    int64_t undeclared;
    int64_t bad_time;
    int64_t malformed;

    /* Seconds on the recording's clock; NaN: no record yet. */
    double earliest;
    double latest;
    double farthest;
    double longest_span;
    double block_earliest;
    double block_latest;

    /* The times of the block's sound records, with room for all of them. */
    int64_t room;
    int64_t good;
    double *good_times;

    /* The samples taken so far; behind them there is room for every record of a block. */
    int64_t taken;
    int32_t *taken_rows;
    double *taken_times;
    double *taken_values;
} Walk;

static inline uint32_t u16(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

static inline uint32_t u32(const uint8_t *at) { return u16(at) | u16(at + 2) << 16; }

static inline uint64_t u64(const uint8_t *at) { return (uint64_t)u32(at) | (uint64_t)u32(at + 4) << 32; }

static double f64(uint64_t bits) {
    union {
        uint64_t bits;
        double value;
    } both;
    both.bits = bits;
    return both.value;
}

static double f32(uint32_t bits) {
    union {
        uint32_t bits;
        float value;
    } both;
    both.bits = bits;
    return (double)both.value;
}

static double missing(void) { return f64(UINT64_C(0x7ff8000000000000)); }

static inline int is_finite(double value) { return value >= -DBL_MAX && value <= DBL_MAX; }

/* The whole number, or "missing" where it is the format's sentinel. */
static double whole(int64_t value, int64_t sentinel) { return value == sentinel ? missing() : (double)value; }

static int64_t with_sign(uint32_t raw, int bits) {
    int64_t half = INT64_C(1) << (bits - 1);
    return ((int64_t)raw ^ half) - half;
}

static inline double read_value(const uint8_t *at, uint8_t format) {
    switch (format) {
    case F32: return f32(u32(at));
    case F64: return f64(u64(at));
    case I8: return whole(with_sign(at[0], 8), INT8_MIN);
    case U8: return whole(at[0], UINT8_MAX);
    case I16: return whole(with_sign(u16(at), 16), INT16_MIN);
    case U16: return whole(u16(at), UINT16_MAX);
    case I32: return whole(with_sign(u32(at), 32), INT32_MIN);
    case U32: return whole(u32(at), UINT32_MAX);
    default: return missing();
    }
}

static inline double sound(double value) { return is_finite(value) ? value : missing(); }

/* The values of some records of one track: the first stands at this place, each so many bytes behind the last. */
static inline void read_values(
    const Walk *walk, int32_t row, const uint8_t *at, int64_t bytes, int64_t count, double *values
) {
    const uint8_t format = walk->format[row];
    const double gain = walk->gain[row], offset = walk->offset[row];
    if (format == F32)
        for (int64_t place = 0; place < count; place++, at += bytes)
            values[place] = sound(f32(u32(at)) * gain + offset);
    else
        for (int64_t place = 0; place < count; place++, at += bytes)
            values[place] = sound(read_value(at, format) * gain + offset);
}

/* Samples of one track at these times go behind those that were taken so far. */
static inline void take(
    Walk *walk, int64_t taken, int32_t row, const double *times, const uint8_t *value_at, int64_t bytes, int64_t count
) {
    int32_t *const rows = walk->taken_rows + taken;
    double *const taken_times = walk->taken_times + taken;
    read_values(walk, row, value_at, bytes, count, walk->taken_values + taken);
    for (int64_t place = 0; place < count; place++) {
        rows[place] = row;
        taken_times[place] = times[place];
    }
}

/* The later of two times, and the earlier one; any time is either where there is none yet (NaN). */
static double later(double latest, double time) { return latest >= time ? latest : time; }

static double earlier(double earliest, double time) { return earliest <= time ? earliest : time; }

/* Whether two record packets say the same of themselves: type, length, length of the information block, and track. */
static inline int are_alike(const uint8_t *one, const uint8_t *other) {
    return (u64(one) ^ u64(other)) << 8 == 0 && u16(one + NUMBER_AT) == u16(other + NUMBER_AT);
}

/* More are taken as another run: between the two passes over them they stay in the first cache. */
enum { LONGEST_RUN = 256 };

/*
 * In recordings that have each track on end, what follows a sound record differs from it in time and value alone. How
 * many such records follow one of so many bytes, in rising order of time; theirs are the next times and samples.
 */
static int64_t follow(Walk *walk, const uint8_t *packet, int64_t bytes, int64_t good, int64_t taken) {
    const uint8_t *const end = walk->buffer + walk->end, *next = packet + bytes;
    double *const times = walk->good_times + good;
    double latest = f64(u64(packet + TIME_AT));
    const int64_t most = walk->room - good < LONGEST_RUN ? walk->room - good : LONGEST_RUN;
    int64_t count = 0;
    for (; count < most && end - next >= bytes && are_alike(packet, next); count++, next += bytes) {
        double time = f64(u64(next + TIME_AT));
        if (!(time >= latest && time <= DBL_MAX))
            break;
        times[count] = latest = time;
    }
    const int32_t row = walk->in_force[u16(packet + NUMBER_AT)];
    if (walk->collected[row])
        take(walk, taken, row, times, packet + bytes + TIME_AT + u16(packet + HEADER_BYTES), bytes, count);
    return count;
}

/*
 * How far a walk has come. It stands beside Walk: the compiler must take a store into any column for one into *walk,
 * and would fetch and store each of these anew with every packet; of a variable whose address stays here it need not.
 */
typedef struct {
    int64_t position, found, good, taken;
    int64_t packets, met, undeclared, bad_time, malformed;
    double earliest, latest;
} Progress;

static Progress begin(const Walk *walk) {
    return (Progress){
        .position = walk->position, .found = walk->found, .good = walk->good, .taken = walk->taken,
        .earliest = walk->block_earliest, .latest = walk->block_latest,
    };
}

static void keep(Walk *walk, const Progress *done) {
    walk->counts[RECORD] += done->met;
    walk->packets += done->packets;
    walk->read += done->good - walk->good;
    walk->undeclared += done->undeclared;
    walk->bad_time += done->bad_time;
    walk->malformed += done->malformed;
    walk->position = done->position;
    walk->found = done->found;
    walk->good = done->good;
    walk->taken = done->taken;
    walk->block_earliest = done->earliest;
    walk->block_latest = done->latest;
}

/* A sound record of so many bytes, whose value stands at this place, and those that follow it alike. */
static inline void take_sound(Walk *walk, Progress *done, const uint8_t *packet, int64_t bytes, int64_t value_at) {
    const int32_t row = walk->in_force[u16(packet + NUMBER_AT)];
    const double time = f64(u64(packet + TIME_AT));
    const int collected = walk->collected[row];
    int64_t run = 0;
    walk->good_times[done->good++] = time;
    done->earliest = earlier(done->earliest, time);
    done->latest = later(done->latest, time);
    if (collected)
        take(walk, done->taken++, row, &time, packet + value_at, 0, 1);
    if (walk->end - done->position >= bytes && are_alike(packet, walk->buffer + done->position))
        run = follow(walk, packet, bytes, done->good, done->taken);
    walk->records[row] += 1 + run;
    walk->record_bytes[row] += (1 + run) * bytes;
    if (run) {
        done->position += run * bytes;
        done->packets += run;
        done->met += run;
        done->good += run;
        done->taken += collected ? run : 0;
        done->latest = later(done->latest, walk->good_times[done->good - 1]);
    }
}

/* A record packet of so many bytes behind its header. */
static inline void take_record(Walk *walk, Progress *done, const uint8_t *packet, int64_t length) {
    done->met += 1;
    if (length < RECORD_BYTES || u16(packet + HEADER_BYTES) < INFO_BYTES) {
        done->malformed += 1;
        return;
    }
    const int64_t value_at = HEADER_BYTES + 2 + (int64_t)u16(packet + HEADER_BYTES);
    const int32_t row = walk->in_force[u16(packet + NUMBER_AT)];
    if (HEADER_BYTES + length - value_at < walk->bytes_needed[row])
        done->malformed += 1;
    else if (row == UNDECLARED)
        done->undeclared += 1;
    else if (!is_finite(f64(u64(packet + TIME_AT))))
        done->bad_time += 1;
    else
        take_sound(walk, done, packet, HEADER_BYTES + length, value_at);
}

/* Walk until a packet is not complete, behind a track or device packet, or until there is no room. */
int casemill_walk(Walk *walk) {
    Progress done = begin(walk);
    int stopped = END;
    while (stopped == END && walk->end - done.position >= HEADER_BYTES) {
        const uint8_t *packet = walk->buffer + done.position;
        const uint8_t kind = packet[0];
        const int64_t length = (int64_t)u32(packet + 1);
        if (length > walk->end - done.position - HEADER_BYTES)
            break;
        if (done.good >= walk->room) {
            stopped = NO_ROOM;
            break;
        }
        done.found = done.position;
        done.position += HEADER_BYTES + length;
        done.packets += 1;
        if (kind == RECORD) {
            take_record(walk, &done, packet, length);
        } else {
            walk->counts[kind] += 1;
            stopped = kind == TRACK || kind == DEVICE ? DECLARATION : END;
        }
    }
    keep(walk, &done);
    return stopped;
}

/* At the end of a block the clock goes on. */
void casemill_end_block(Walk *walk) {
    double last = walk->block_latest;
    if (walk->good) {
        walk->earliest = earlier(walk->earliest, walk->block_earliest);
        walk->farthest = later(walk->farthest, last);
    }
    /* Subtracting never turns an order round: where the last is in time, all are. */
    if (last - walk->earliest <= walk->longest_span) {
        walk->latest = later(walk->latest, last);
    } else {
        for (int64_t at = 0; at < walk->good; at++)
            if (walk->good_times[at] - walk->earliest <= walk->longest_span)
                walk->latest = later(walk->latest, walk->good_times[at]);
    }
    /* Of two zeros it does not matter which came first: the clock has only the positive one (as collect.py). */
    walk->earliest += 0.0;
    walk->farthest += 0.0;
    walk->latest += 0.0;
    walk->good = 0;
    walk->block_earliest = walk->block_latest = missing();
}

/* Of the samples from this one on, let go what a device has meanwhile shown to be unwanted. */
void casemill_let_go(Walk *walk, int64_t from) {
    int64_t kept = from;
    for (int64_t at = from; at < walk->taken; at++) {
        if (walk->collected[walk->taken_rows[at]]) {
            walk->taken_rows[kept] = walk->taken_rows[at];
            walk->taken_times[kept] = walk->taken_times[at];
            walk->taken_values[kept] = walk->taken_values[at];
            kept += 1;
        }
    }
    walk->taken = kept;
}

/* Raises sizes[track] by the samples of each track; track_of[row] is -1 where the row is of none. */
void casemill_count(int64_t count, const int32_t *rows, const int32_t *track_of, int64_t *sizes) {
    for (int64_t at = 0; at < count; at++)
        if (track_of[rows[at]] >= 0)
            sizes[track_of[rows[at]]] += 1;
}

/* Puts each sample behind those of its track; next[track] is where, and goes on. */
void casemill_sort(
    int64_t count, const int32_t *rows, const double *times, const double *values, const int32_t *track_of,
    const int16_t *unit_of, int64_t *next, double *sorted_times, double *sorted_values, int16_t *sorted_units
) {
    for (int64_t at = 0; at < count; at++) {
        int32_t row = rows[at];
        if (track_of[row] < 0)
            continue;
        int64_t to = next[track_of[row]]++;
        sorted_times[to] = times[at];
        sorted_values[to] = values[at];
        sorted_units[to] = unit_of[row];
    }
}

/* What the loader compares: a build of another source or for another layout of Walk must not run. */
const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_walk_bytes(void) { return (int64_t)sizeof(Walk); }
