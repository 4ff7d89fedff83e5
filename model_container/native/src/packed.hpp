// A packed decoder: the file that pack.py writes, and nothing else, checked before anything is read from it.
//
// Layout, little-endian: a Header of 128 bytes, then sections, each starting at a multiple of 64 bytes, in the order
// in which a step reads them:
//   for each layer   self_norm (scale, bias), query|key|value, out,
//                    with cross-attention: cross_norm (scale, bias), cross query, cross out,
//                    ffn_norm (scale, bias), up, down
//   then             norm (scale, bias), heads,
//   then             for each layer cross key|value, read once per song.
// Norms are fp32. Matrices are tiled as kernels.hpp says, outputs padded with zeros to a multiple of 16.

#pragma once

#include <vector>

#include "kernels.hpp"
#include "memory.hpp"

namespace cadenza {

struct Header {
    char magic[8];  // "CADENZA\0"
    uint32_t version;
    Format format;
    uint32_t group;  // inputs that share a scale; 16 for float formats
    uint32_t hidden, heads, layers, ffn, codebooks, vocabulary;
    uint32_t cross;  // 1 with cross-attention
    uint64_t bytes;  // of the file
    uint8_t reserved[72];
};
static_assert(sizeof(Header) == 128, "pack.py writes this");

constexpr uint32_t kVersion = 1;

struct Norm {
    const float *scale, *bias;
};

struct Layer {
    Norm self_norm;
    Matrix qkv, out;
    Norm cross_norm;
    Matrix cross_query, cross_out, cross_key_value;
    Norm ffn_norm;
    Matrix up, down;
};

struct Packed {
    Pages file;
    Header header{};
    std::vector<Layer> layers;
    Norm norm{};
    Matrix heads{};
    int64_t step_bytes = 0;  // of the matrices that a step reads

    // A cadenza_status.
    int open(const char *path);
    int outputs() const { return int(header.codebooks * header.vocabulary); }
};

}  // namespace cadenza
