// AVX512_BF16 for CPUs without it: force-included before the kernel, which then has 16 lanes and products of bfloat16.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>

#undef __AVX512F__
#undef __AVX512BF16__
#undef __x86_64__  // no constraints on registers that are not there
#define __AVX512F__ 1
#define __AVX512BF16__ 1

typedef short Sixteen __attribute__((vector_size(32)));

template <typename To, typename From>
static To same_bits(const From &from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

struct Floats { float at[16]; };
struct Shorts { uint16_t at[32]; };
struct Halves { uint16_t at[16]; };

static float widened(uint16_t bits) { return same_bits<float>(uint32_t(bits) << 16); }

static __m512 products(__m512 sum, __m512bh a, __m512bh b) {
    auto z = same_bits<Floats>(sum);
    const auto x = same_bits<Shorts>(a), y = same_bits<Shorts>(b);
    for (int i = 0; i < 16; i++)
        for (int part = 1; part >= 0; part--) z.at[i] += widened(x.at[2 * i + part]) * widened(y.at[2 * i + part]);
    return same_bits<__m512>(z);
}

// To the nearest, ties to even.
static Sixteen rounded(__m512 a) {
    const auto f = same_bits<Floats>(a);
    Halves z;
    for (int i = 0; i < 16; i++) {
        const auto bits = same_bits<uint32_t>(f.at[i]);
        z.at[i] = f.at[i] == f.at[i] ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : 0x7fc0;
    }
    return same_bits<Sixteen>(z);
}

static __m512 some_of(uint16_t mask, const float *from) {
    Floats z = {};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) z.at[i] = from[i];
    return same_bits<__m512>(z);
}

static __m512 all_of(float one) {
    Floats z;
    std::fill_n(z.at, 16, one);
    return same_bits<__m512>(z);
}

#define _mm512_dpbf16_ps products
#define _mm512_cvtneps_pbh rounded
#define _mm512_maskz_loadu_ps some_of
#define _mm512_set1_ps all_of
