// The float arithmetic between products: LayerNorm, GELU, quantization. Included after a lanes_*.hpp.

// Far enough ahead of the loads that memory keeps delivering where the hardware's prefetcher stops, at a page's end.
constexpr int kAhead = 4096;

// e^x for x <= 0, within 2 units of the last place; after Cephes' expf (Moshier 1989).
inline Floats exponential(Floats x) {
    x = maximum(x, splat(-87.0f));
    const Ints n = nearest(x * splat(1.44269504088896341f));
    const Floats turns = to_floats(n);
    const Floats r = x - turns * splat(0.693359375f) - turns * splat(-2.12194440e-4f);
    Floats p = splat(1.9875691500e-4f);
    p = p * r + splat(1.3981999507e-3f);
    p = p * r + splat(8.3334519073e-3f);
    p = p * r + splat(4.1665795894e-2f);
    p = p * r + splat(1.6666665459e-1f);
    p = p * r + splat(5.0000001201e-1f);
    return (p * r * r + r + splat(1.0f)) * power_of_two(n);
}

// Abramowitz and Stegun 1964, 7.1.26: within 1.5e-7.
inline Floats error_function(Floats x) {
    const Floats size = magnitude(x);
    const Floats t = splat(1.0f) / (splat(1.0f) + splat(0.3275911f) * size);
    Floats p = splat(1.061405429f);
    p = p * t + splat(-1.453152027f);
    p = p * t + splat(1.421413741f);
    p = p * t + splat(-0.284496736f);
    p = p * t + splat(0.254829592f);
    return copy_sign(splat(1.0f) - p * t * exponential(splat(0.0f) - size * size), x);
}

void gelu(float *x, int count) {
    for (int i = 0; i < count; i += kLanes) {
        const Floats v = load(x + i);
        store(x + i, splat(0.5f) * v * (splat(1.0f) + error_function(v * splat(0.70710678118654752f))));
    }
}

bool normalize(const float *x, const float *scale, const float *bias, const Rows &rows, int row) {
    const int width = rows.width;
    Floats sum = splat(0.0f), squares = splat(0.0f);
    for (int i = 0; i < width; i += kLanes) sum = sum + load(x + i);
    const Floats mean = splat(total(sum) / float(width));
    for (int i = 0; i < width; i += kLanes) {
        const Floats d = load(x + i) - mean;
        squares = squares + d * d;
    }
    const float variance = total(squares) / float(width);
    const Floats factor = splat(1.0f / __builtin_sqrtf(variance + 1e-5f));
    float *out = rows.values + int64_t(row) * width;
    for (int i = 0; i < width; i += kLanes)
        store(out + i, (load(x + i) - mean) * factor * load(scale + i) + load(bias + i));
    return variance < __builtin_inff();  // false for NaN as well
}

// Symmetric, to [-127, 127]. count is a multiple of 16. Returns the scale; codes * scale is about x.
inline float quantize_group(const float *x, int count, int8_t *codes, int32_t *sum) {
    Floats largest_of = splat(0.0f);
    for (int i = 0; i < count; i += kLanes) largest_of = maximum(magnitude(load(x + i)), largest_of);
    const float peak = largest(largest_of);
    const bool silent = !(peak > 1e-30f);  // below that 127 / peak would overflow
    const Floats factor = splat(silent ? 0.0f : 127.0f / peak);
    Ints codes_of = nearest(load(x) * factor);
    store_bytes(codes, codes_of);
    for (int i = kLanes; i < count; i += kLanes) {
        const Ints more = nearest(load(x + i) * factor);
        store_bytes(codes + i, more);
        codes_of = codes_of + more;
    }
    *sum = total(codes_of);
    return silent ? 0.0f : peak / 127.0f;
}

void quantize(const Rows &rows, int row, int from, int to) {
    const int groups = rows.width / rows.group;
    const float *x = rows.values + int64_t(row) * rows.width;
    int8_t *codes = rows.codes + int64_t(row) * rows.width;
    for (int at = from; at < to; at += rows.group) {
        const int64_t g = int64_t(row) * groups + at / rows.group;
        rows.scales[g] = quantize_group(x + at, rows.group, codes + at, rows.sums + g);
    }
}

inline int32_t quad(const int8_t *codes) {
    int32_t r;
    memcpy(&r, codes, 4);
    return r;
}
