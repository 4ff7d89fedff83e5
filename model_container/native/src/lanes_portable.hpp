// Sixteen lanes in plain C++: the definition that every other instruction set must match bit for bit.
//
// A lanes_*.hpp file is included once, inside an anonymous namespace, by the one translation unit compiled for it, so
// that no code compiled for a newer CPU can be linked into the path of an older one.

struct Floats {
    float lane[16];
};
struct Ints {
    int32_t lane[16];
};
struct Bytes {  // four weights for each of sixteen outputs
    const uint8_t *at;
};

#define LANES for (int i = 0; i < 16; i++)

inline Floats load(const float *p) { Floats r; memcpy(&r, p, sizeof r); return r; }
inline Floats load(const uint16_t *bf16) {
    Floats r;
    LANES {
        const uint32_t bits = uint32_t(bf16[i]) << 16;
        memcpy(&r.lane[i], &bits, 4);
    }
    return r;
}
inline void store(float *p, Floats a) { memcpy(p, &a, sizeof a); }
inline Floats splat(float x) { Floats r; LANES r.lane[i] = x; return r; }
inline Floats operator+(Floats a, Floats b) { LANES a.lane[i] += b.lane[i]; return a; }
inline Floats operator-(Floats a, Floats b) { LANES a.lane[i] -= b.lane[i]; return a; }
inline Floats operator*(Floats a, Floats b) { LANES a.lane[i] *= b.lane[i]; return a; }
inline Floats operator/(Floats a, Floats b) { LANES a.lane[i] /= b.lane[i]; return a; }
inline Floats maximum(Floats a, Floats b) { LANES a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; return a; }
inline Floats magnitude(Floats a) { LANES a.lane[i] = __builtin_fabsf(a.lane[i]); return a; }
inline Floats copy_sign(Floats a, Floats b) { LANES a.lane[i] = __builtin_copysignf(a.lane[i], b.lane[i]); return a; }

// To the nearest integer, halves to even. |a| < 2^22, and NaN gives some integer: adding 1.5 * 2^23 leaves the rounded
// value in the low bits, which, unlike a conversion, is defined for every input.
inline Ints nearest(Floats a) {
    Ints r;
    LANES {
        const float shifted = a.lane[i] + 12582912.0f;
        uint32_t bits;
        memcpy(&bits, &shifted, 4);
        bits -= 0x4B400000u;
        memcpy(&r.lane[i], &bits, 4);
    }
    return r;
}
inline Floats to_floats(Ints a) { Floats r; LANES r.lane[i] = float(a.lane[i]); return r; }
inline Floats power_of_two(Ints a) {  // -126 <= a <= 127
    Floats r;
    LANES {
        const uint32_t bits = uint32_t(a.lane[i] + 127) << 23;
        memcpy(&r.lane[i], &bits, 4);
    }
    return r;
}
inline void store_bytes(int8_t *p, Ints a) { LANES p[i] = int8_t(uint8_t(uint32_t(a.lane[i]))); }
inline Ints load_codes(const int8_t *p) { Ints r; LANES r.lane[i] = p[i]; return r; }

inline float largest(Floats a) {
    float r = a.lane[0];
    LANES r = a.lane[i] > r ? a.lane[i] : r;
    return r;
}
inline float total(Floats a) {  // the order is part of the result: halves, quarters, pairs
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) a.lane[i] += a.lane[i + half];
    return a.lane[0];
}
inline int32_t total(Ints a) { int32_t r = 0; LANES r += a.lane[i]; return r; }
inline Ints operator+(Ints a, Ints b) { LANES a.lane[i] += b.lane[i]; return a; }

// Weights are stored unsigned. `start8` and `start4` are what an accumulator begins with so that after `dot8` and
// `dot4` over codes of that sum it holds the signed product; `quad` is four signed codes.
inline Ints start8(int32_t) { return Ints{}; }
inline Ints start4(int32_t sum) { Ints r; LANES r.lane[i] = -8 * sum; return r; }
inline Bytes load_bytes(const uint8_t *p) { return {p}; }
inline Ints dot8(Ints acc, Bytes w, int32_t quad) {
    int8_t x[4];
    memcpy(x, &quad, 4);
    LANES for (int j = 0; j < 4; j++) acc.lane[i] += (int(w.at[4 * i + j]) - 128) * x[j];
    return acc;
}
inline void dot4(Ints &acc, const uint8_t *w, int32_t low, int32_t high) {
    int8_t x[4], y[4];
    memcpy(x, &low, 4);
    memcpy(y, &high, 4);
    LANES for (int j = 0; j < 4; j++) acc.lane[i] += (w[4 * i + j] & 15) * x[j] + (w[4 * i + j] >> 4) * y[j];
}

constexpr int kRowsAtOnce = 4;

#undef LANES
