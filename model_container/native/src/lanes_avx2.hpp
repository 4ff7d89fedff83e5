// Sixteen lanes in two AVX2 registers. Meaning of each operation: lanes_portable.hpp.

struct Floats {
    __m256 a, b;
};
struct Ints {
    __m256i a, b;
};
// AVX2 multiplies unsigned by signed bytes and saturates sums of two products at 16 bits. With |w| as the unsigned
// factor and the code carrying w's sign, 2 * 127 * 127 stays below that limit, so the product is exact.
struct Bytes {
    __m256i a, b, size_a, size_b;
};

inline Floats load(const float *p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline __m256 widen(const uint16_t *bf16) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bf16));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline Floats load(const uint16_t *bf16) { return {widen(bf16), widen(bf16 + 8)}; }
inline void store(float *p, Floats x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
inline Floats splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Floats operator+(Floats x, Floats y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline Floats operator-(Floats x, Floats y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline Floats operator*(Floats x, Floats y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline Floats operator/(Floats x, Floats y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
inline Floats maximum(Floats x, Floats y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline Floats magnitude(Floats x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
inline Floats copy_sign(Floats x, Floats y) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(sign, x.a), _mm256_and_ps(sign, y.a)),
            _mm256_or_ps(_mm256_andnot_ps(sign, x.b), _mm256_and_ps(sign, y.b))};
}

inline __m256i nearest(__m256 x) {
    const __m256 shifted = _mm256_add_ps(x, _mm256_set1_ps(12582912.0f));
    return _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(0x4B400000));
}
inline Ints nearest(Floats x) { return {nearest(x.a), nearest(x.b)}; }
inline Floats to_floats(Ints x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
inline __m256 power_of_two(__m256i x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(x, _mm256_set1_epi32(127)), 23));
}
inline Floats power_of_two(Ints x) { return {power_of_two(x.a), power_of_two(x.b)}; }
inline void store_bytes(int8_t *p, Ints x) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xD8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), bytes);
}
inline Ints load_codes(const int8_t *p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}

inline float largest(Floats x) {
    const __m256 h = _mm256_max_ps(x.a, x.b);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline float total(Floats x) {
    const __m256 h = _mm256_add_ps(x.a, x.b);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline int32_t total(Ints x) {
    const __m256i h = _mm256_add_epi32(x.a, x.b);
    __m128i q = _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 0xB1)));
}
inline Ints operator+(Ints x, Ints y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }

inline __m256i multiply(__m256i acc, __m256i positive, __m256i code) {
    const __m256i pairs = _mm256_maddubs_epi16(positive, code);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
inline Ints start8(int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Ints start4(int32_t sum) { return {_mm256_set1_epi32(-8 * sum), _mm256_set1_epi32(-8 * sum)}; }
inline __m256i load_half(const uint8_t *p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)); }
inline Bytes load_bytes(const uint8_t *p) {
    const __m256i flip = _mm256_set1_epi8(INT8_MIN);
    const __m256i a = _mm256_xor_si256(load_half(p), flip), b = _mm256_xor_si256(load_half(p + 32), flip);
    return {a, b, _mm256_abs_epi8(a), _mm256_abs_epi8(b)};
}
inline Ints dot8(Ints acc, Bytes w, int32_t quad) {
    const __m256i x = _mm256_set1_epi32(quad);
    return {multiply(acc.a, w.size_a, _mm256_sign_epi8(x, w.a)), multiply(acc.b, w.size_b, _mm256_sign_epi8(x, w.b))};
}
inline void dot4(Ints &acc, const uint8_t *p, int32_t low, int32_t high) {
    const __m256i mask = _mm256_set1_epi8(15), x = _mm256_set1_epi32(low), y = _mm256_set1_epi32(high);
    const __m256i a = load_half(p), b = load_half(p + 32);
    acc.a = multiply(acc.a, _mm256_and_si256(a, mask), x);
    acc.b = multiply(acc.b, _mm256_and_si256(b, mask), x);
    acc.a = multiply(acc.a, _mm256_and_si256(_mm256_srli_epi16(a, 4), mask), y);
    acc.b = multiply(acc.b, _mm256_and_si256(_mm256_srli_epi16(b, 4), mask), y);
}

constexpr int kRowsAtOnce = 4;
