// Sums of products of units.

#pragma once
#include "units.h"

namespace {

// Where each place's units begin: anywhere, or as far from one to the next.
struct Pointers {
    const float *const *at;
    const float *operator[](int place) const { return at[place]; }
};
struct Evenly {
    const float *first;
    int64_t apart;
    const float *operator[](int place) const { return first + place * apart; }
};

// WIDE vectors of kernels at SUMS / WIDE places: at each the sum, over `rows` and over the units of each, of
// at[place][row * row_step + unit] * u[row][unit]. The other vector's weights are `far` away. TOGETHER: see Float32.
template <typename Kind, int WIDE, int TOGETHER, typename Places>
[[gnu::noinline]] void multiply(int64_t rows, int64_t row_step, int64_t units, Places places, const float *u,
                                int64_t far, float *m) {
    constexpr int COUNT = SUMS / WIDE;
    const float *at[COUNT];
    for (int p = 0; p < COUNT; p++) at[p] = places[p];
    typename Kind::Sums sums[COUNT][WIDE] = {};
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0, from = row * row_step; i < units; i += TOGETHER, from += TOGETHER * TOGETHER)
#pragma GCC unroll 2
            for (int next = 0; next < TOGETHER; next++, u += LANES) {
                Lanes weights[WIDE];
                for (int k = 0; k < WIDE; k++) {
                    weights[k] = load(u + k * far);
                    IN_REGISTER(weights[k]);
                }
#pragma GCC unroll 16
                for (int p = 0; p < COUNT; p++)
#pragma GCC unroll 2
                    for (int k = 0; k < WIDE; k++) {
                        sums[p][k] = Kind::add(sums[p][k], weights[k], at[p] + from + next);
                        IN_REGISTER(sums[p][k]);
                    }
            }
#pragma GCC unroll 16
    for (int p = 0; p < COUNT; p++)
#pragma GCC unroll 2
        for (int k = 0; k < WIDE; k++) store((Lanes)sums[p][k], m + (p * WIDE + k) * LANES);
}

}  // namespace
