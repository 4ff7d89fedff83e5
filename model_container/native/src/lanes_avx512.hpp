// Sixteen lanes in one AVX-512 register; products of bytes by VNNI. Meaning of each operation: lanes_portable.hpp.

struct Floats {
    __m512 v;
};
struct Ints {
    __m512i v;
};
struct Bytes {
    __m512i v;
};

inline Floats load(const float *p) { return {_mm512_loadu_ps(p)}; }
inline Floats load(const uint16_t *bf16) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(bf16));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
inline void store(float *p, Floats a) { _mm512_storeu_ps(p, a.v); }
inline Floats splat(float x) { return {_mm512_set1_ps(x)}; }
inline Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Floats maximum(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Floats magnitude(Floats a) { return {_mm512_abs_ps(a.v)}; }
inline Floats copy_sign(Floats a, Floats b) {
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    return {_mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(sign, _mm512_castps_si512(b.v), _mm512_castps_si512(a.v), 0xCA))};
}

inline Ints nearest(Floats a) {
    const __m512 shifted = _mm512_add_ps(a.v, _mm512_set1_ps(12582912.0f));
    return {_mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_set1_epi32(0x4B400000))};
}
inline Floats to_floats(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline Floats power_of_two(Ints a) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(a.v, _mm512_set1_epi32(127)), 23))};
}
inline void store_bytes(int8_t *p, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm512_cvtepi32_epi8(a.v));
}
inline Ints load_codes(const int8_t *p) {
    return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)))};
}

inline float largest(Floats a) { return _mm512_reduce_max_ps(a.v); }
inline float total(Floats a) {
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline int32_t total(Ints a) { return _mm512_reduce_add_epi32(a.v); }
inline Ints operator+(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }

inline Ints start8(int32_t sum) { return {_mm512_set1_epi32(-128 * sum)}; }
inline Ints start4(int32_t sum) { return {_mm512_set1_epi32(-8 * sum)}; }
inline Bytes load_bytes(const uint8_t *p) { return {_mm512_loadu_si512(p)}; }
inline Ints dot8(Ints acc, Bytes w, int32_t quad) {
    return {_mm512_dpbusd_epi32(acc.v, w.v, _mm512_set1_epi32(quad))};
}
inline void dot4(Ints &acc, const uint8_t *p, int32_t low, int32_t high) {
    const __m512i w = _mm512_loadu_si512(p), mask = _mm512_set1_epi8(15);
    acc.v = _mm512_dpbusd_epi32(acc.v, _mm512_and_si512(w, mask), _mm512_set1_epi32(low));
    acc.v = _mm512_dpbusd_epi32(acc.v, _mm512_and_si512(_mm512_srli_epi16(w, 4), mask), _mm512_set1_epi32(high));
}

constexpr int kRowsAtOnce = 8;
