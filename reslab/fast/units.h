// What is multiplied: float32, or, where the CPU has instructions for it, bfloat16, summed in float32, or integers of
// 16 bits, summed in 32 bits.

#pragma once
#include <algorithm>
#include <cstring>

#include "vectors.h"

namespace {

// A unit is a channel, or two of them: NUMBERS, of four bytes together. Python knows what is in it by its NUMBER.
//
// `pack` makes units of `count` numbers, with zeros after them up to a whole vector. Integers are the nearest to a
// number times `scale`, the inverse of `one`. Winograd's transform computes in vectors of another kind, or of the same
// one: `Pixels`; a Vector has CHANNELS, and `put` makes units of it. `weights` makes a unit of each lane, of vectors of
// which each has one of its numbers.
struct Float32 {
    using Pixels = Float32;
    using Vector = Lanes;
    using Sums = Lanes;
    using SumsAnywhere = Anywhere;
    static constexpr int NUMBER = 0, NUMBERS = 1, CHANNELS = LANES;
    static constexpr bool INTEGERS = false;
    static constexpr int64_t units(int64_t channels) { return channels; }
    static Sums product(Lanes weights, const float *unit) { return weights * *unit; }
    static Sums add(Sums sums, Lanes weights, const float *unit) { return sums + weights * *unit; }
    static Lanes values(Sums sums) { return sums; }
    static float one(const float *, int64_t, int64_t, int64_t, float) { return 1; }
    static void pack(const float *from, int64_t count, float, float *to) {
        for (; count >= LANES; count -= LANES, from += LANES, to += LANES) store(load(from), to);
        if (count) std::fill_n(std::copy_n(from, count, to), LANES - count, 0.f);
    }
    static Lanes weights(const Lanes *numbers, Lanes) { return *numbers; }
    static Vector times(Vector z, float factor) { return z * factor; }
    static void put(Vector z, float *to) { store(z, to); }
};

// A unit of two numbers, which begins anywhere, in all lanes.
using Integers = int32_t __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef int32_t TwoNumbers __attribute__((aligned(2), may_alias));
inline Integers everywhere(const float *unit) { return Integers{} + *reinterpret_cast<const TwoNumbers *>(unit); }

// Units of two numbers, of each the lower half.
inline Lanes both(Integers first, Integers second) { return (Lanes)((first & 0xffff) | second << 16); }

// The same bits, as another type.
template <typename To, typename From>
To bits(From from) {
    To to;
    static_assert(sizeof to == sizeof from);
    std::memcpy(&to, &from, sizeof to);
    return to;
}

#if defined(__AVX512BF16__)
struct BFloat16 {
    using Pixels = Float32;
    using Sums = Lanes;
    using SumsAnywhere = Anywhere;
    static constexpr int NUMBER = 1, NUMBERS = 2;
    static constexpr bool INTEGERS = false;
    static constexpr int64_t units(int64_t channels) { return (channels + 1) / 2; }
    static Sums product(Lanes weights, const float *unit) { return add(Sums{}, weights, unit); }
    static Sums add(Sums sums, Lanes weights, const float *unit) {
        return (Lanes)_mm512_dpbf16_ps((__m512)sums, (__m512bh)weights, (__m512bh)everywhere(unit));
    }
    static Lanes values(Sums sums) { return sums; }
    static float one(const float *, int64_t, int64_t, int64_t, float) { return 1; }
    static void pack(const float *from, int64_t count, float, float *to) {
        for (; count >= LANES; count -= LANES, from += LANES, to += LANES / 2) put(load(from), to);
        if (count) put((Lanes)_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), from), to);
    }
    static Lanes weights(const Lanes *numbers, Lanes) { return both(nearest(numbers[0]), nearest(numbers[1])); }
    static Integers nearest(Lanes z) {  // to the nearest, ties to even; NaN stays NaN
        const Integers all = (Integers)z, up = all + 0x7fff + (all >> 16 & 1);
        return (z == z ? up : all | 0x400000) >> 16;
    }
    static void put(Lanes z, float *to) {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), (__m256i)_mm512_cvtneps_pbh((__m512)z));
    }
};
using Reduced = BFloat16;
#elif defined(__AVX2__) && !defined(__AVX512F__)
struct Int16 {
    using Pixels = Int16;
    using Vector = int16_t __attribute__((vector_size(32)));
    using Sums = Integers;
    typedef int32_t SumsAnywhere __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4), may_alias));
    static constexpr int NUMBER = 2, NUMBERS = 2, CHANNELS = 2 * LANES;
    static constexpr bool INTEGERS = true;
    static constexpr int64_t units(int64_t channels) { return (channels + 1) / 2; }
    static Sums product(Lanes weights, const float *unit) {
        return (Sums)_mm256_madd_epi16((__m256i)weights, (__m256i)everywhere(unit));
    }
    static Sums add(Sums sums, Lanes weights, const float *unit) { return sums + product(weights, unit); }
    static Lanes values(Sums sums) { return (Lanes)_mm256_cvtepi32_ps((__m256i)sums); }
    // What an integer's 1 stands for, if the largest of the channels of `pixels` is to be `most`: NaN, and so is all
    // that is made of them, where one of them is NaN or more than 1e36. Whatever comes after the channels has no say.
    static float one(const float *from, int64_t pixels, int64_t step, int64_t channels, float most) {
        const int32_t limit = bits<int32_t>(1e36f), size = 0x7fffffff;  // all but the sign
        if (step == channels) channels = step *= pixels, pixels = 1;
        __m256i largest = _mm256_set1_epi32(bits<int32_t>(1e-30f));  // as bits: their order is the same, NaN comes last
        int32_t found = 0;
        for (int64_t pixel = 0; pixel < pixels; pixel++, from += step) {
            int64_t c = 0;
#pragma GCC unroll 4
            for (; c + LANES <= channels; c += LANES)
                largest = _mm256_max_epi32(largest, _mm256_and_si256((__m256i)load(from + c), _mm256_set1_epi32(size)));
            for (; c < channels; c++) found = std::max(found, bits<int32_t>(from[c]) & size);
        }
        for (int lane = 0; lane < LANES; lane++) found = std::max(found, ((Sums)largest)[lane]);
        return found <= limit ? bits<float>(found) / most : __builtin_nanf("");
    }
    static void pack(const float *from, int64_t count, float scale, float *to) {
        const auto put_both = [&](Lanes a, Lanes b) {
            const __m256i low = _mm256_cvtps_epi32((__m256)(a * scale)), high = _mm256_cvtps_epi32((__m256)(b * scale));
            store((Lanes)_mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0b11011000), to);
        };
#pragma GCC unroll 4
        for (; count >= CHANNELS; count -= CHANNELS, from += CHANNELS, to += CHANNELS / 2)
            put_both(load(from), load(from + LANES));
        const auto some = [&](int first) {
            const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), left = _mm256_set1_epi32(count - first);
            return (Lanes)_mm256_maskload_ps(from + first, _mm256_cmpgt_epi32(left, places));
        };
        if (count) put_both(some(0), some(LANES));
    }
    // Of a kernel whose unit is NaN, any.
    static Lanes weights(const Lanes *numbers, Lanes scale) {
        const auto rounded = [&](Lanes z) { return (Integers)_mm256_cvtps_epi32((__m256)(z * scale)); };
        return both(rounded(numbers[0]), rounded(numbers[1]));
    }
    // Rounded. The factor is at most 1.
    [[gnu::always_inline]] static inline Vector times(Vector z, float factor) {
        return (Vector)_mm256_mulhrs_epi16((__m256i)z, _mm256_set1_epi16(int16_t(factor * 32768 + 0.5f)));
    }
    static void put(Vector z, float *to) { store((Lanes)z, to); }
};
using Reduced = Int16;
#else
using Reduced = Float32;
#endif

}  // namespace
