/*
 * The walk over the packets of one block of an inflated .vital recording (spec/vitaldb, "The recording format").
 *
 * plain.py does the same in Python and numpy; both must give the same results to the bit. Plain C99 without a
 * library: loaded with ctypes, so that one build serves every Python. Nothing that stands in the file is trusted:
 * every read lies inside a packet, and every packet inside buffer[0 .. end - 1]. Numbers are put together byte by
 * byte, which compilers turn into one load, so that neither alignment nor byte order of the machine matter.
 */
#include <stdint.h>

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

enum { TRACK = 0, RECORD = 1, DEVICE = 9 };
enum { HEADER_BYTES = 5, INFO_BYTES = 10, RECORD_BYTES = 2 + INFO_BYTES };
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

    int64_t read;
    int64_t undeclared;
    int64_t bad_time;
    int64_t malformed;

    /* Columns with room for every record of a block. */
    int64_t room;
    int64_t good;
    double *good_times;
    int64_t taken;
    int32_t *taken_rows;
    double *taken_times;
    double *taken_values;

    /* Seconds on the recording's clock; NaN: no record yet. */
    double earliest;
    double latest;
    double farthest;
    double longest_span;
} Walk;

static uint32_t u16(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

static uint32_t u32(const uint8_t *at) { return u16(at) | u16(at + 2) << 16; }

static uint64_t u64(const uint8_t *at) { return (uint64_t)u32(at) | (uint64_t)u32(at + 4) << 32; }

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

static int is_finite(double value) { return value - value == 0.0; }

/* The whole number, or "missing" where it is the format's sentinel. */
static double whole(int64_t value, int64_t sentinel) { return value == sentinel ? missing() : (double)value; }

static int64_t with_sign(uint32_t raw, int bits) {
    int64_t half = INT64_C(1) << (bits - 1);
    return ((int64_t)raw ^ half) - half;
}

static double read_value(const uint8_t *at, uint8_t format) {
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

static void take(Walk *walk, int32_t row, double time, const uint8_t *value_at) {
    double value = read_value(value_at, walk->format[row]) * walk->gain[row] + walk->offset[row];
    walk->taken_rows[walk->taken] = row;
    walk->taken_times[walk->taken] = time;
    walk->taken_values[walk->taken] = is_finite(value) ? value : missing();
    walk->taken += 1;
}

static void record(Walk *walk, const uint8_t *body, int64_t length) {
    if (length < RECORD_BYTES || u16(body) < INFO_BYTES) {
        walk->malformed += 1;
        return;
    }
    int64_t value_at = 2 + (int64_t)u16(body);
    double time = f64(u64(body + 2));
    int32_t row = walk->in_force[u16(body + 10)];
    if (length - value_at < walk->bytes_needed[row]) {
        walk->malformed += 1;
    } else if (row == UNDECLARED) {
        walk->undeclared += 1;
    } else if (!is_finite(time)) {
        walk->bad_time += 1;
    } else {
        walk->read += 1;
        walk->records[row] += 1;
        walk->record_bytes[row] += HEADER_BYTES + length;
        walk->good_times[walk->good] = time;
        walk->good += 1;
        if (walk->collected[row])
            take(walk, row, time, body + value_at);
    }
}

/* Walk until a packet is not complete, behind a track or device packet, or until there is no room. */
int casemill_walk(Walk *walk) {
    while (walk->end - walk->position >= HEADER_BYTES) {
        const uint8_t *packet = walk->buffer + walk->position;
        int64_t length = (int64_t)u32(packet + 1);
        if (length > walk->end - walk->position - HEADER_BYTES)
            return END;
        if (walk->good >= walk->room)
            return NO_ROOM;
        walk->counts[packet[0]] += 1;
        walk->found = walk->position;
        walk->position += HEADER_BYTES + length;
        if (packet[0] == RECORD)
            record(walk, packet + HEADER_BYTES, length);
        else if (packet[0] == TRACK || packet[0] == DEVICE)
            return DECLARATION;
    }
    return END;
}

/* At the end of a block: the clock goes on, and what a device has meanwhile shown to be unwanted is let go. */
void casemill_end_block(Walk *walk) {
    int64_t kept = 0;
    for (int64_t at = 0; at < walk->good; at++) {
        double time = walk->good_times[at];
        if (!(walk->earliest <= time))
            walk->earliest = time;
        if (!(walk->farthest >= time))
            walk->farthest = time;
    }
    for (int64_t at = 0; at < walk->good; at++) {
        double time = walk->good_times[at];
        if (time - walk->earliest <= walk->longest_span && !(walk->latest >= time))
            walk->latest = time;
    }
    for (int64_t at = 0; at < walk->taken; at++) {
        if (walk->collected[walk->taken_rows[at]]) {
            walk->taken_rows[kept] = walk->taken_rows[at];
            walk->taken_times[kept] = walk->taken_times[at];
            walk->taken_values[kept] = walk->taken_values[at];
            kept += 1;
        }
    }
    walk->good = 0;
    walk->taken = kept;
}

/* What the loader compares: a build of another source or for another layout of Walk must not run. */
const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_walk_bytes(void) { return (int64_t)sizeof(Walk); }
