// One head of attention for one query. Quantized keys are a matrix with positions for outputs, quantized values one
// with positions for inputs, so that both use the product of bytes. Included after kernels_math.hpp.

// A query or a group of weights in two bytes, of which the second holds what rounding to the first left over. Only the
// cache is read from memory, and with 16 bits here only its own rounding counts; the second product is free beside it.
template <int N>
struct Fine {
    int8_t coarse[N], fine[N];
    int32_t coarse_sum, fine_sum;
    float coarse_scale, fine_scale;

    explicit Fine(const float *x) {
        float rest[N];
        coarse_scale = quantize_group(x, N, coarse, &coarse_sum);
        const Floats scale = splat(coarse_scale);
        for (int i = 0; i < N; i += kLanes) store(rest + i, load(x + i) - to_floats(load_codes(coarse + i)) * scale);
        fine_scale = quantize_group(rest, N, fine, &fine_sum);
    }
};

// Turns scores [0, length) into weights e^(score - largest); those up to the block's end become 0. Returns their sum.
inline float soften(float *scores, int length, int padded) {
    for (int t = length; t < padded; t++) scores[t] = -3e38f;
    Floats peak_of = load(scores);
    for (int t = kLanes; t < padded; t += kLanes) peak_of = maximum(load(scores + t), peak_of);
    const Floats peak = splat(largest(peak_of));
    for (int t = 0; t < padded; t += kLanes) store(scores + t, exponential(load(scores + t) - peak));
    for (int t = length; t < padded; t++) scores[t] = 0.0f;
    Floats sum = splat(0.0f);
    for (int t = 0; t < padded; t += kLanes) sum = sum + load(scores + t);
    return total(sum);
}

inline void copy_padded(const float *from, int size, int padded, float *to) {
    memcpy(to, from, size_t(size) * sizeof(float));
    for (int i = size; i < padded; i++) to[i] = 0.0f;
}

void append_quantized(const Head &head, int position, const float *key, const float *value) {
    float x[kMaxHead];
    int8_t codes[kMaxHead];
    int32_t sum;
    copy_padded(key, head.size, head.padded, x);
    head.key_scales[position] = quantize_group(x, head.padded, codes, &sum);
    uint8_t *keys = head.keys + int64_t(position / kLanes) * head.padded * kLanes + position % kLanes * 4;
    for (int i = 0; i < head.padded; i++) keys[i / 4 * 64 + i % 4] = uint8_t(codes[i] + 128);
    copy_padded(value, head.size, head.padded, x);
    head.value_scales[position] = quantize_group(x, head.padded, codes, &sum);
    uint8_t *values = head.values + int64_t(position / 4) * head.padded * 4 + position % 4;
    for (int i = 0; i < head.padded; i++) values[i * 4] = uint8_t(codes[i] + 128);
}

template <int D>  // D tiles of 16 make the padded head
inline void attend_bytes(const Head &head, int length, const float *query, float *scores, float *out) {
    const int padded = (length + kPositionBlock - 1) / kPositionBlock * kPositionBlock;
    const Fine<16 * D> q(query);
    const Floats size = splat(1.0f / __builtin_sqrtf(float(head.size)));
    const Floats coarse_scale = splat(q.coarse_scale) * size, fine_scale = splat(q.fine_scale) * size;
    const uint8_t *keys = head.keys;
    for (int t = 0; t < padded; t += kLanes) {
        Ints coarse = start8(q.coarse_sum), fine = start8(q.fine_sum);
        for (int i = 0; i < 16 * D; i += 4, keys += 64) {
            const Bytes bytes = load_bytes(keys);
            __builtin_prefetch(keys + kAhead);
            coarse = dot8(coarse, bytes, quad(q.coarse + i));
            fine = dot8(fine, bytes, quad(q.fine + i));
        }
        const Floats products = to_floats(coarse) * coarse_scale + to_floats(fine) * fine_scale;
        store(scores + t, products * load(head.key_scales + t));
    }
    const float weights = soften(scores, length, padded);
    Floats sums[D];
    for (int d = 0; d < D; d++) sums[d] = splat(0.0f);
    const uint8_t *values = head.values;
    for (int t = 0; t < padded; t += kPositionBlock) {
        for (int i = t; i < t + kPositionBlock; i += kLanes)
            store(scores + i, load(scores + i) * load(head.value_scales + i));
        const Fine<kPositionBlock> w(scores + t);
        Ints coarse[D], fine[D];
        for (int d = 0; d < D; d++) coarse[d] = start8(w.coarse_sum), fine[d] = start8(w.fine_sum);
        for (int i = 0; i < kPositionBlock; i += 4)
            for (int d = 0; d < D; d++, values += 64) {
                const Bytes bytes = load_bytes(values);
                __builtin_prefetch(values + kAhead);
                coarse[d] = dot8(coarse[d], bytes, quad(w.coarse + i));
                fine[d] = dot8(fine[d], bytes, quad(w.fine + i));
            }
        for (int d = 0; d < D; d++)
            sums[d] = sums[d] + to_floats(coarse[d]) * splat(w.coarse_scale) + to_floats(fine[d]) * splat(w.fine_scale);
    }
    for (int d = 0; d < D; d++) store(out + d * kLanes, sums[d] * splat(1.0f / weights));
}

inline float narrow(float x, const float *) { return x; }
inline uint16_t narrow(float x, const uint16_t *) {  // to bf16, halves to even
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

template <typename T>
void append_float(const Head &head, int position, const float *key, const float *value) {
    T *keys = reinterpret_cast<T *>(head.keys) + int64_t(position / kLanes) * head.padded * kLanes + position % kLanes;
    T *values = reinterpret_cast<T *>(head.values) + int64_t(position) * head.padded;
    for (int i = 0; i < head.padded; i++) {
        keys[i * kLanes] = narrow(i < head.size ? key[i] : 0.0f, keys);
        values[i] = narrow(i < head.size ? value[i] : 0.0f, values);
    }
}

template <typename T, int D>
inline void attend_floats(const Head &head, int length, const float *query, float *scores, float *out) {
    const int padded = (length + kLanes - 1) / kLanes * kLanes;
    const Floats scale = splat(1.0f / __builtin_sqrtf(float(head.size)));
    const T *keys = reinterpret_cast<const T *>(head.keys), *values = reinterpret_cast<const T *>(head.values);
    for (int t = 0; t < padded; t += kLanes) {
        Floats products = splat(0.0f);
        for (int i = 0; i < 16 * D; i++, keys += kLanes) products = products + load(keys) * splat(query[i]);
        store(scores + t, products * scale);
    }
    const float weights = soften(scores, length, padded);
    Floats sums[D];
    for (int d = 0; d < D; d++) sums[d] = splat(0.0f);
    for (int t = 0; t < length; t++)
        for (int d = 0; d < D; d++, values += kLanes) sums[d] = sums[d] + load(values) * splat(scores[t]);
    for (int d = 0; d < D; d++) store(out + d * kLanes, sums[d] * splat(1.0f / weights));
}

enum class Store { bytes, bf16, f32 };

template <Store S, int D>
inline void attend_tiles(const Head &head, int length, const float *query, float *scores, float *out) {
    if constexpr (S == Store::bytes) attend_bytes<D>(head, length, query, scores, out);
    if constexpr (S == Store::bf16) attend_floats<uint16_t, D>(head, length, query, scores, out);
    if constexpr (S == Store::f32) attend_floats<float, D>(head, length, query, scores, out);
}

template <Store S>
void attend(const Head &head, int length, const float *query, float *scores, float *out) {
    float q[kMaxHead], result[kMaxHead];
    copy_padded(query, head.size, head.padded, q);
    switch (head.padded) {
        case 16: attend_tiles<S, 1>(head, length, q, scores, result); break;
        case 32: attend_tiles<S, 2>(head, length, q, scores, result); break;
        case 64: attend_tiles<S, 4>(head, length, q, scores, result); break;
        default: attend_tiles<S, 8>(head, length, q, scores, result);
    }
    memcpy(out, result, size_t(head.size) * sizeof(float));
}
