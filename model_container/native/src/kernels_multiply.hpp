// Matrix-vector products. The weights of a tile are read once for up to kRowsAtOnce rows; a row's sums do not depend
// on how many others go with it. Included after kernels_math.hpp.

inline int64_t scales_bytes(const Matrix &m) { return (int64_t(m.width) / m.group * 32 + 63) / 64 * 64; }

// R rows' codes, and what is per group of them.
template <int R>
struct Codes {
    const int8_t *codes[R];
    const float *scales[R];
    const int32_t *sums[R];

    Codes(const Rows &rows, int row) {
        const int64_t groups = rows.width / rows.group;
        for (int r = 0; r < R; r++) {
            codes[r] = rows.codes + int64_t(row + r) * rows.width;
            scales[r] = rows.scales + (row + r) * groups;
            sums[r] = rows.sums + (row + r) * groups;
        }
    }
};

template <int R>
struct TileQ8 {
    static void run(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
        const auto *scales = reinterpret_cast<const uint16_t *>(tile);
        const uint8_t *w = tile + scales_bytes(m);
        const Codes<R> x(rows, row);
        const int groups = m.width / m.group;
        for (int g = 0, k = 0; g < groups; g++) {
            Ints sums[R];
            for (int r = 0; r < R; r++) sums[r] = start8(x.sums[r][g]);
            for (const int end = k + m.group; k < end; k += 16)
#pragma GCC unroll 4
                for (int i = 0; i < 16; i += 4, w += 64) {
                    const Bytes weights = load_bytes(w);
                    __builtin_prefetch(w + kAhead);
                    for (int r = 0; r < R; r++) sums[r] = dot8(sums[r], weights, quad(x.codes[r] + k + i));
                }
            const Floats scale = load(scales + g * kLanes);
            for (int r = 0; r < R; r++) out[r] = out[r] + to_floats(sums[r]) * (scale * splat(x.scales[r][g]));
        }
    }
};

template <int R>
struct TileQ4 {
    static void run(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
        const auto *scales = reinterpret_cast<const uint16_t *>(tile);
        const uint8_t *w = tile + scales_bytes(m);
        const Codes<R> x(rows, row);
        const int groups = m.width / m.group;
        for (int g = 0, k = 0; g < groups; g++) {
            Ints sums[R];
            for (int r = 0; r < R; r++) sums[r] = start4(x.sums[r][g]);
            for (const int end = k + m.group; k < end; k += 16)
#pragma GCC unroll 2
                for (int i = 0; i < 16; i += 8, w += 64) {
                    __builtin_prefetch(w + kAhead);
                    for (int r = 0; r < R; r++)
                        dot4(sums[r], w, quad(x.codes[r] + k + i), quad(x.codes[r] + k + i + 4));
                }
            const Floats scale = load(scales + g * kLanes);
            for (int r = 0; r < R; r++) out[r] = out[r] + to_floats(sums[r]) * (scale * splat(x.scales[r][g]));
        }
    }
};

// Even and odd inputs in two sums: one chain of additions would wait for itself.
template <typename T, int R>
inline void tile_float(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
    const T *w = reinterpret_cast<const T *>(tile);
    Floats odd[R];
    for (int r = 0; r < R; r++) odd[r] = splat(0.0f);
    for (int k = 0; k < m.width; k += 2, w += 2 * kLanes) {
        const Floats first = load(w), second = load(w + kLanes);
        __builtin_prefetch(reinterpret_cast<const uint8_t *>(w) + kAhead);
        for (int r = 0; r < R; r++) {
            const float *x = rows.values + int64_t(row + r) * rows.width + k;
            out[r] = out[r] + first * splat(x[0]);
            odd[r] = odd[r] + second * splat(x[1]);
        }
    }
    for (int r = 0; r < R; r++) out[r] = out[r] + odd[r];
}

template <int R>
struct TileF32 {
    static void run(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
        tile_float<float, R>(m, tile, rows, row, out);
    }
};

template <int R>
struct TileBF16 {
    static void run(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
        tile_float<uint16_t, R>(m, tile, rows, row, out);
    }
};

template <template <int> class Tile, int R>
void multiply_rows(const Matrix &m, const Rows &rows, int tile, int row, float *out, int stride, bool add) {
    Floats sums[R];
    for (int r = 0; r < R; r++) sums[r] = splat(0.0f);
    Tile<R>::run(m, m.tiles + tile * m.tile_bytes, rows, row, sums);
    for (int r = 0; r < R; r++) {
        float *to = out + int64_t(row + r) * stride + tile * kLanes;
        store(to, add ? load(to) + sums[r] : sums[r]);
    }
}

template <template <int> class Tile>
void multiply(const Matrix &m, const Rows &rows, Block block, float *out, int stride, bool add) {
    for (int tile = block.from; tile < block.to; tile++) {
        int row = block.row, left = block.rows;
        if constexpr (kRowsAtOnce >= 8)
            for (; left >= 8; left -= 8, row += 8) multiply_rows<Tile, 8>(m, rows, tile, row, out, stride, add);
        if constexpr (kRowsAtOnce >= 4)
            for (; left >= 4; left -= 4, row += 4) multiply_rows<Tile, 4>(m, rows, tile, row, out, stride, add);
        for (; left >= 2; left -= 2, row += 2) multiply_rows<Tile, 2>(m, rows, tile, row, out, stride, add);
        if (left) multiply_rows<Tile, 1>(m, rows, tile, row, out, stride, add);
    }
}
