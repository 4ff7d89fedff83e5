// Matrix-vector products. The weights of a tile are read once for up to kRowsAtOnce rows; a row's sums do not depend
// on how many others go with it. Included after kernels_math.hpp.

inline int64_t scales_bytes(const Matrix &m) { return (int64_t(m.width) / m.group * 32 + 63) / 64 * 64; }

struct Quads {  // four codes of a row at a time
    const int8_t *codes;
    const float *scales;
    const int32_t *sums;

    Quads(const Rows &x, int row)
        : codes(x.codes + int64_t(row) * x.width),
          scales(x.scales + int64_t(row) * (x.width / x.group)),
          sums(x.sums + int64_t(row) * (x.width / x.group)) {}
};

template <int R>
struct TileQ8 {
    static void run(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
        const auto *scales = reinterpret_cast<const uint16_t *>(tile);
        const uint8_t *w = tile + scales_bytes(m);
        for (int g = 0; g < m.width / m.group; g++) {
            Ints sums[R];
            for (int r = 0; r < R; r++) sums[r] = start8(Quads(rows, row + r).sums[g]);
            for (int k = 0; k < m.group; k += 4, w += 64) {
                const Bytes weights = load_bytes(w);
                __builtin_prefetch(w + kAhead);
                for (int r = 0; r < R; r++)
                    sums[r] = dot8(sums[r], weights, quad(Quads(rows, row + r).codes + g * m.group + k));
            }
            const Floats scale = load(scales + g * kLanes);
            for (int r = 0; r < R; r++)
                out[r] = out[r] + to_floats(sums[r]) * (scale * splat(Quads(rows, row + r).scales[g]));
        }
    }
};

template <int R>
struct TileQ4 {
    static void run(const Matrix &m, const uint8_t *tile, const Rows &rows, int row, Floats *out) {
        const auto *scales = reinterpret_cast<const uint16_t *>(tile);
        const uint8_t *w = tile + scales_bytes(m);
        for (int g = 0; g < m.width / m.group; g++) {
            Ints sums[R];
            for (int r = 0; r < R; r++) sums[r] = start4(Quads(rows, row + r).sums[g]);
            for (int k = 0; k < m.group; k += 8, w += 64) {
                __builtin_prefetch(w + kAhead);
                for (int r = 0; r < R; r++) {
                    const int8_t *codes = Quads(rows, row + r).codes + g * m.group + k;
                    dot4(sums[r], w, quad(codes), quad(codes + 4));
                }
            }
            const Floats scale = load(scales + g * kLanes);
            for (int r = 0; r < R; r++)
                out[r] = out[r] + to_floats(sums[r]) * (scale * splat(Quads(rows, row + r).scales[g]));
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
