// Vectors of float32, and sums of products of them: of float32, or, where the CPU has instructions for it, of bfloat16,
// two at a time, summed in float32.

#pragma once
#include <algorithm>
#include <cstdint>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

// A vector is one register: of two, the compiler keeps none there. SUMS is how many sums of products stay in registers:
// of one or two vectors of kernels, so of that many places or half of it.
#if defined(__AVX512F__)
constexpr int LANES = 16, SUMS = 16;
#elif defined(__AVX__)
constexpr int LANES = 8, SUMS = 12;
#else
constexpr int LANES = 4, SUMS = 8;
#endif
using Lanes = float __attribute__((vector_size(LANES * sizeof(float))));
using Anywhere = float __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

// Or the compiler would read it again for each use.
#if defined(__x86_64__)
#define IN_REGISTER(z) asm("" : "+v"(z))
#else
#define IN_REGISTER(z)
#endif

inline Lanes load(const float *from) { return *reinterpret_cast<const Anywhere *>(from); }
inline void store(Lanes z, float *to) { *reinterpret_cast<Anywhere *>(to) = z; }

// Channels up to a whole vector.
inline int64_t room(int64_t channels) { return (channels + LANES - 1) / LANES * LANES; }

// What is multiplied: a unit is a channel, or two of them in bfloat16. It takes four bytes.
struct Float32 {
    static int64_t units(int64_t channels) { return channels; }
    static Lanes add(Lanes sum, Lanes weights, const float *unit) { return sum + weights * *unit; }
    static void pack(Lanes z, float *to) { store(z, to); }
    // Of `count` numbers, less than a vector; with zeros after them, or nothing.
    static void pack(const float *from, int64_t count, float *to) { std::copy_n(from, count, to); }
};

#ifdef __AVX512BF16__
struct BFloat16 {
    static int64_t units(int64_t channels) { return (channels + 1) / 2; }
    static Lanes add(Lanes sum, Lanes weights, const float *unit) {
        return (Lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weights, (__m512bh)_mm512_set1_ps(*unit));
    }
    static void pack(Lanes z, float *to) {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), (__m256i)_mm512_cvtneps_pbh((__m512)z));
    }
    static void pack(const float *from, int64_t count, float *to) {
        pack((Lanes)_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), from), to);
    }
};
#endif

// WIDE vectors of kernels at SUMS / WIDE places: at each the sum, over `rows` and over the units i of each, of
// at[place][row * row_step + i] * u[row][i]. The other vector's weights are `far` away.
template <typename Kind, int WIDE>
[[gnu::noinline]] void multiply(int64_t rows, int64_t row_step, int64_t units, const float *const *at, const float *u,
                                int64_t far, float *m) {
    Lanes sums[SUMS / WIDE][WIDE] = {};
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < units; i++, u += LANES) {
            Lanes weights[WIDE];
            for (int k = 0; k < WIDE; k++) {
                weights[k] = load(u + k * far);
                IN_REGISTER(weights[k]);
            }
#pragma GCC unroll 16
            for (int p = 0; p < SUMS / WIDE; p++)
#pragma GCC unroll 2
                for (int k = 0; k < WIDE; k++)
                    sums[p][k] = Kind::add(sums[p][k], weights[k], at[p] + row * row_step + i);
        }
#pragma GCC unroll 16
    for (int p = 0; p < SUMS / WIDE; p++)
#pragma GCC unroll 2
        for (int k = 0; k < WIDE; k++) store(sums[p][k], m + (p * WIDE + k) * LANES);
}

}  // namespace
