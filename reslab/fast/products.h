// Sums of products of units.

#pragma once
#include <type_traits>

#include "units.h"

namespace {

// WIDE vectors of kernels at SUMS / WIDE places; the weights of the second vector are `far` away.
template <typename Kind, int WIDE>
struct Products {
    static constexpr int COUNT = SUMS / WIDE;
    typename Kind::Sums sums[COUNT][WIDE] = {};

    // Adds the products of a unit of each place, which `at` knows; FIRST, there is nothing to add them to.
    template <bool FIRST, typename At>
    void add(const float *u, int64_t far, At at) {
        Lanes weights[WIDE];
        for (int k = 0; k < WIDE; k++) {
            weights[k] = load(u + k * far);
            IN_REGISTER(weights[k]);
        }
#pragma GCC unroll 16
        for (int p = 0; p < COUNT; p++)
#pragma GCC unroll 2
            for (int k = 0; k < WIDE; k++) {
                sums[p][k] = FIRST ? Kind::product(weights[k], at(p)) : Kind::add(sums[p][k], weights[k], at(p));
                IN_REGISTER(sums[p][k]);
            }
    }

    void put(float *m) const {
#pragma GCC unroll 16
        for (int p = 0; p < COUNT; p++)
#pragma GCC unroll 2
            for (int k = 0; k < WIDE; k++) store((Lanes)sums[p][k], m + (p * WIDE + k) * LANES);
    }
};

// The sums, over `vectors` of UNITS units each, of v[vector][place][unit] * u[vector][unit], where there are SUMS places.
template <typename Kind, int WIDE, int UNITS>
[[gnu::noinline]] void multiply(int64_t vectors, const float *v, const float *u, int64_t far, float *m) {
    Products<Kind, WIDE> all;
    const auto vector = [&](auto first) {
#pragma GCC unroll 16
        for (int unit = 0; unit < UNITS; unit++) {
            const auto at = [&](int place) { return v + place * UNITS + unit; };
            if (decltype(first)::value && unit == 0)
                all.template add<true>(u, far, at);
            else
                all.template add<false>(u + unit * LANES, far, at);
        }
        v += SUMS * UNITS;
        u += UNITS * LANES;
    };
    vector(std::true_type());
    while (--vectors > 0) vector(std::false_type());
    all.put(m);
}

// The sums, over `rows` and over the units of each, of at[place][row * row_step + unit] * u[row][unit].
template <typename Kind, int WIDE>
[[gnu::noinline]] void multiply(int64_t rows, int64_t row_step, int64_t units, const float *const *at, const float *u,
                                int64_t far, float *m) {
    Products<Kind, WIDE> all;
    const float *place[SUMS / WIDE];
    for (int p = 0; p < SUMS / WIDE; p++) place[p] = at[p];
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = row * row_step, end = i + units; i < end; i++, u += LANES) {
            all.template add<false>(u, far, [&](int p) { return place[p] + i; });
            ONE_INDEX(i);
        }
    all.put(m);
}

}  // namespace
