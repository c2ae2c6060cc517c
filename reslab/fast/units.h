// What is multiplied: float32, or, where the CPU has instructions for it, bfloat16, summed in float32, or integers of 16
// bits, summed in 32 bits.

#pragma once
#include <algorithm>
#include <cstring>

#include "vectors.h"

namespace {

// A unit is a channel, or two of them, and takes four bytes. Python knows what is in it by its NUMBER.
//
// `pack` makes units of a vector of channels, or of `count` numbers, less than a vector; with zeros after them, or
// nothing. `pack_row` makes those of six places, one row of a tile in Winograd's transform; the vectors that it writes
// are `far` apart, and TOGETHER places share one. A place's units begin at `first`: TOGETHER of them, and then as many
// again after those of the other place. Integers are the nearest to a number times `scale`, the inverse of `one`.
struct Float32 {
    using Sums = Lanes;
    using SumsAnywhere = Anywhere;
    static constexpr int NUMBER = 0;
    static constexpr int TOGETHER = 1;
    static int64_t units(int64_t channels) { return channels; }
    static Sums add(Sums sums, Lanes weights, const float *unit) { return sums + weights * *unit; }
    static Lanes values(Sums sums) { return sums; }
    static float one(const float *, int64_t, int64_t, int64_t, float) { return 1; }
    static void pack(Lanes z, float, float *to) { store(z, to); }
    static void pack(const float *from, int64_t count, float, float *to) { std::copy_n(from, count, to); }
    static int64_t first(int place, int64_t far) { return place * far; }
    static void pack_row(const Lanes (&z)[6], float, float *to, int64_t far) {
        for (int j = 0; j < 6; j++) store(z[j], to + j * far);
    }
};

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
    using Sums = Lanes;
    using SumsAnywhere = Anywhere;
    static constexpr int NUMBER = 1;
    static constexpr int TOGETHER = 1;
    static int64_t units(int64_t channels) { return (channels + 1) / 2; }
    static Sums add(Sums sums, Lanes weights, const float *unit) {
        return (Lanes)_mm512_dpbf16_ps((__m512)sums, (__m512bh)weights, (__m512bh)_mm512_set1_ps(*unit));
    }
    static Lanes values(Sums sums) { return sums; }
    static float one(const float *, int64_t, int64_t, int64_t, float) { return 1; }
    static void pack(Lanes z, float, float *to) {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), (__m256i)_mm512_cvtneps_pbh((__m512)z));
    }
    static void pack(const float *from, int64_t count, float, float *to) {
        pack((Lanes)_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), from), 1, to);
    }
    static int64_t first(int place, int64_t far) { return place * far; }
    static void pack_row(const Lanes (&z)[6], float, float *to, int64_t far) {
        for (int j = 0; j < 6; j++) pack(z[j], 1, to + j * far);
    }
};
using Reduced = BFloat16;
#elif defined(__AVX2__) && !defined(__AVX512F__)
struct Int16 {
    using Sums = int32_t __attribute__((vector_size(LANES * sizeof(int32_t))));
    typedef int32_t SumsAnywhere __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4), may_alias));
    static constexpr int NUMBER = 2;
    static constexpr int TOGETHER = 2;
    static int64_t units(int64_t channels) { return (channels + 1) / 2; }
    static Sums add(Sums sums, Lanes weights, const float *unit) {
        const __m256i both = _mm256_castps_si256(_mm256_broadcast_ss(unit));
        return sums + (Sums)_mm256_madd_epi16((__m256i)weights, both);
    }
    static Lanes values(Sums sums) { return (Lanes)_mm256_cvtepi32_ps((__m256i)sums); }
    // What an integer's 1 stands for, if the largest of the channels of `pixels` is to be `most`: NaN, and so is all that
    // is made of them, where one of them is NaN or more than 1e36. Whatever comes after the channels has no say.
    static float one(const float *from, int64_t pixels, int64_t step, int64_t channels, float most) {
        const int32_t limit = bits<int32_t>(1e36f), size = 0x7fffffff;  // all but the sign
        if (step == channels) channels = step *= pixels, pixels = 1;
        __m256i largest = _mm256_set1_epi32(bits<int32_t>(1e-30f));  // as bits: their order is the same, NaN comes last
        int32_t found = 0;
        for (int64_t pixel = 0; pixel < pixels; pixel++, from += step) {
            int64_t c = 0;
            for (; c + LANES <= channels; c += LANES)
                largest = _mm256_max_epi32(largest, _mm256_and_si256((__m256i)load(from + c), _mm256_set1_epi32(size)));
            for (; c < channels; c++) found = std::max(found, bits<int32_t>(from[c]) & size);
        }
        for (int lane = 0; lane < LANES; lane++) found = std::max(found, ((Sums)largest)[lane]);
        return found <= limit ? bits<float>(found) / most : __builtin_nanf("");
    }
    static __m256i nearest(Lanes z, float scale) { return _mm256_cvtps_epi32((__m256)(z * scale)); }
    static void pack(Lanes z, float scale, float *to) {
        const __m256i all = nearest(z, scale);
        const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(to), packed);
    }
    static void pack(const float *from, int64_t count, float scale, float *to) {
        const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        pack((Lanes)_mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), places)), scale, to);
    }
    // An instruction packs two vectors, half of the one and half of the other by turns: the places 0 and 5 of a row, 1
    // and 2, 3 and 4.
    static int64_t first(int place, int64_t far) {
        const int row = place / 6, column = place % 6, second = column == 5 || column == 2 || column == 4;
        return (row * 3 + (column + 1) % 6 / 2) * far + second * TOGETHER;
    }
    static void pack_row(const Lanes (&z)[6], float scale, float *to, int64_t far) {
        const auto both = [&](int a, int b) {
            return (Lanes)_mm256_packs_epi32(nearest(z[a], scale), nearest(z[b], scale));
        };
        store(both(0, 5), to);
        store(both(1, 2), to + far);
        store(both(3, 4), to + 2 * far);
    }
};
using Reduced = Int16;
#else
using Reduced = Float32;
#endif

}  // namespace
