// What the arithmetic is, whoever computes it: the interface between the decoder and the kernels of one CPU family.
//
// All kernels give bit-equal results: products of bytes are summed as integers, which is exact in any order; floats
// are summed in an order that is part of each kernel's definition; nothing is contracted to fused multiply-add. A
// row's result depends on that row alone, whatever other rows are in the call.

#pragma once

#include <cstdint>

namespace cadenza {

enum class Format : uint32_t { f32 = 0, bf16 = 1, q8 = 2, q4 = 3 };
constexpr int kFormats = 4;

inline bool quantized(Format format) { return format == Format::q8 || format == Format::q4; }

constexpr int kLanes = 16;           // outputs in a tile
constexpr int kMaxHead = 128;        // size of an attention head
constexpr int kPositionBlock = 32;   // the cache grows by whole blocks

// Inputs of a matrix, one row per position in flight. `values` are always there; the rest only for quantized formats.
struct Rows {
    float *values;    // [rows][width]
    int8_t *codes;    // [rows][width], values / scales
    float *scales;    // [rows][width / group]
    int32_t *sums;    // [rows][width / group], of the codes
    int width;
    int group;
};

// [outputs][width] in tiles of sixteen outputs:
//   f32, bf16  [width][16]
//   q8         scales [width / group][16] bf16, padded to 64 bytes, then [width / 4][16][4] unsigned, zero at 128
//   q4         scales likewise, then [width / 8][16][4]: quad 2j in the low nibbles, 2j + 1 in the high ones, zero at 8
struct Matrix {
    const uint8_t *tiles;
    int64_t tile_bytes;
    int width;
    int outputs;  // a multiple of 16
    int group;
};

struct Block {  // of a matrix-vector product: tiles [from, to) for `rows` rows starting at `row`
    int from, to, row, rows;
};

// Keys and values of one head. Quantized: keys [position / 16][size / 4][16][4] and values [position / 4][size][4],
// unsigned with zero at 128, and one scale per position. Float formats: keys [position / 16][size][16], values
// [position][size]. `size` is the head's size rounded up to `padded`.
struct Head {
    uint8_t *keys, *values;
    float *key_scales, *value_scales;
    int size, padded;
};

struct Kernels {
    const char *name;
    // out[row][output] = (or +=) matrix · rows[row]; stride: floats between rows of out.
    void (*multiply[kFormats])(const Matrix &, const Rows &, Block, float *out, int stride, bool add);
    // codes, scales and sums of values [from, to) of a row; whole groups. Null for float formats.
    void (*quantize)(const Rows &, int row, int from, int to);
    // LayerNorm of x [width] into rows.values[row]. False when x is not finite.
    bool (*normalize)(const float *x, const float *scale, const float *bias, const Rows &rows, int row);
    void (*gelu)(float *x, int count);  // exact (erf), in place; count is a multiple of 16
    void (*append[kFormats])(const Head &, int position, const float *key, const float *value);
    // softmax(query · keys / sqrt(size)) · values over positions [0, length). scratch: [length rounded up to 32].
    void (*attend[kFormats])(const Head &, int length, const float *query, float *scratch, float *out);
};

// Null when this build or this CPU lacks them. "auto" is the best of those there are.
const Kernels *find_kernels(const char *name);
const char *kernel_names();

extern const Kernels portable_kernels, avx2_kernels, avx512vnni_kernels, neon_kernels;

}  // namespace cadenza
