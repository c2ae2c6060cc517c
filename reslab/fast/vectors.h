// Vectors of float32.

#pragma once
#include <cstdint>
#ifdef __AVX__
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
typedef float Anywhere __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
static_assert(alignof(Anywhere) == 4);  // with `using`, clang does not see it

// Or the compiler would read it again for each use.
#if defined(__x86_64__)
#define IN_REGISTER(z) asm("" : "+v"(z))
#else
#define IN_REGISTER(z)
#endif
// Or it would make a pointer of its own, to be moved on, of each address that has i in it.
#define ONE_INDEX(i) asm("" : "+r"(i))

inline Lanes load(const float *from) { return *reinterpret_cast<const Anywhere *>(from); }
inline void store(Lanes z, float *to) { *reinterpret_cast<Anywhere *>(to) = z; }

// b, unless a is larger: b where it is NaN.
inline Lanes larger(Lanes a, Lanes b) {
#if defined(__AVX__) && !defined(__AVX512F__)
    return (Lanes)_mm256_max_ps((__m256)a, (__m256)b);  // which the compiler does not make of the next line
#else
    return a > b ? a : b;
#endif
}

// Channels up to a whole vector.
inline int64_t room(int64_t channels) { return (channels + LANES - 1) / LANES * LANES; }

}  // namespace
