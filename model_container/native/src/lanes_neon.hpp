// Sixteen lanes in four NEON registers; products of bytes by SDOT. Meaning of each operation: lanes_portable.hpp.

struct Floats {
    float32x4_t v[4];
};
struct Ints {
    int32x4_t v[4];
};
struct Bytes {
    int8x16_t v[4];
};

#define QUARTERS for (int i = 0; i < 4; i++)

inline Floats load(const float *p) { Floats r; QUARTERS r.v[i] = vld1q_f32(p + 4 * i); return r; }
inline Floats load(const uint16_t *bf16) {
    Floats r;
    QUARTERS r.v[i] = vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(bf16 + 4 * i)), 16));
    return r;
}
inline void store(float *p, Floats a) { QUARTERS vst1q_f32(p + 4 * i, a.v[i]); }
inline Floats splat(float x) { Floats r; QUARTERS r.v[i] = vdupq_n_f32(x); return r; }
inline Floats operator+(Floats a, Floats b) { QUARTERS a.v[i] = vaddq_f32(a.v[i], b.v[i]); return a; }
inline Floats operator-(Floats a, Floats b) { QUARTERS a.v[i] = vsubq_f32(a.v[i], b.v[i]); return a; }
inline Floats operator*(Floats a, Floats b) { QUARTERS a.v[i] = vmulq_f32(a.v[i], b.v[i]); return a; }
inline Floats operator/(Floats a, Floats b) { QUARTERS a.v[i] = vdivq_f32(a.v[i], b.v[i]); return a; }
inline Floats maximum(Floats a, Floats b) { QUARTERS a.v[i] = vmaxq_f32(a.v[i], b.v[i]); return a; }
inline Floats magnitude(Floats a) { QUARTERS a.v[i] = vabsq_f32(a.v[i]); return a; }
inline Floats copy_sign(Floats a, Floats b) {
    QUARTERS a.v[i] = vbslq_f32(vdupq_n_u32(0x80000000u), b.v[i], a.v[i]);
    return a;
}

inline Ints nearest(Floats a) {
    Ints r;
    QUARTERS {
        const float32x4_t shifted = vaddq_f32(a.v[i], vdupq_n_f32(12582912.0f));
        r.v[i] = vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(0x4B400000));
    }
    return r;
}
inline Floats to_floats(Ints a) { Floats r; QUARTERS r.v[i] = vcvtq_f32_s32(a.v[i]); return r; }
inline Floats power_of_two(Ints a) {
    Floats r;
    QUARTERS r.v[i] = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(a.v[i], vdupq_n_s32(127)), 23));
    return r;
}
inline void store_bytes(int8_t *p, Ints a) {
    const int16x8_t low = vcombine_s16(vmovn_s32(a.v[0]), vmovn_s32(a.v[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(a.v[2]), vmovn_s32(a.v[3]));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
inline Ints load_codes(const int8_t *p) {
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    return {{vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)), vmovl_s16(vget_low_s16(high)),
             vmovl_s16(vget_high_s16(high))}};
}

inline float largest(Floats a) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.v[0], a.v[1]), vmaxq_f32(a.v[2], a.v[3])));
}
inline float total(Floats a) {
    const float32x4_t q = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
    const float32x2_t pair = vadd_f32(vget_low_f32(q), vget_high_f32(q));
    return vget_lane_f32(pair, 0) + vget_lane_f32(pair, 1);
}
inline int32_t total(Ints a) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(a.v[0], a.v[1]), vaddq_s32(a.v[2], a.v[3])));
}
inline Ints operator+(Ints a, Ints b) { QUARTERS a.v[i] = vaddq_s32(a.v[i], b.v[i]); return a; }

inline Ints start8(int32_t) { Ints r; QUARTERS r.v[i] = vdupq_n_s32(0); return r; }
inline Ints start4(int32_t sum) { Ints r; QUARTERS r.v[i] = vdupq_n_s32(-8 * sum); return r; }
inline Bytes load_bytes(const uint8_t *p) {
    Bytes r;
    QUARTERS r.v[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p + 16 * i), vdupq_n_u8(128)));
    return r;
}
inline Ints dot8(Ints acc, Bytes w, int32_t quad) {
    const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(quad));
    QUARTERS acc.v[i] = vdotq_s32(acc.v[i], w.v[i], x);
    return acc;
}
inline void dot4(Ints &acc, const uint8_t *p, int32_t low, int32_t high) {
    const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(low)), y = vreinterpretq_s8_s32(vdupq_n_s32(high));
    QUARTERS {
        const uint8x16_t w = vld1q_u8(p + 16 * i);
        acc.v[i] = vdotq_s32(acc.v[i], vreinterpretq_s8_u8(vandq_u8(w, vdupq_n_u8(15))), x);
        acc.v[i] = vdotq_s32(acc.v[i], vreinterpretq_s8_u8(vshrq_n_u8(w, 4)), y);
    }
}

constexpr int kRowsAtOnce = 2;

#undef QUARTERS
