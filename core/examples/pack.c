/*
 * Records whose fields stand in arrays of their own, laid out on end. Plain C99: loaded with ctypes, so that one build
 * serves every Python. What the pieces say is the caller's to check: pack_native.py makes them of arrays that it holds.
 */
#include <stdint.h>
#include <string.h>

#ifndef CASEMILL_DIGEST
#define CASEMILL_DIGEST "unknown"
#endif

/* Bytes that stand in every record, `stride` after those of the record before; 0: the same in all.
   Mirrored field by field in pack_native.py. */
typedef struct {
    const uint8_t *from;
    int64_t stride;
    int64_t bytes;
} Piece;

/* Records first .. last - 1, each the pieces in their order; `out` has room for all of them. */
void casemill_lay_out(const Piece *pieces, int64_t count, int64_t first, int64_t last, uint8_t *out) {
    for (int64_t record = first; record < last; record++)
        for (const Piece *piece = pieces; piece < pieces + count; piece++) {
            memcpy(out, piece->from + record * piece->stride, (size_t)piece->bytes);
            out += piece->bytes;
        }
}

const char *casemill_digest(void) { return CASEMILL_DIGEST; }

int64_t casemill_piece_bytes(void) { return (int64_t)sizeof(Piece); }
