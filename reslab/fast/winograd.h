// Winograd's F(4x4, 3x3) (Lavin & Gray 2015, 1509.09308), for a 3x3 convolution with stride 1: 36 products in place of
// 144 for 4x4 pixels. Its points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round less than the usual 0, +-1,
// +-2: in bfloat16 the logits are off by half as much.

#pragma once
#include "layer.h"
#include "products.h"

namespace {

constexpr float A = 0.70710678118654752f, B = 1.4142135623730951f;  // the points; A^2 = 1/2, B^2 = 2, AB = 1

inline void into(Lanes d0, Lanes d1, Lanes d2, Lanes d3, Lanes d4, Lanes d5, Lanes (&t)[6]) {
    const Lanes a = d4 - 2.f * d2, b = d3 - 2.f * d1, c = d4 - 0.5f * d2, e = d3 - 0.5f * d1;
    t[0] = d0 - 2.5f * d2 + d4;
    t[1] = a + A * b;
    t[2] = a - A * b;
    t[3] = c + B * e;
    t[4] = c - B * e;
    t[5] = d1 - 2.5f * d3 + d5;
}
// No number is more times the largest of its pixels after both passes. MOST of an image's integers is then a number of 15
// bits, and conv.py leaves the weights as much of 30: the sums of two places are added.
constexpr float GAIN = 5.122f * 5.122f, MOST = 32767 / GAIN;

inline void out_of(Lanes m0, Lanes m1, Lanes m2, Lanes m3, Lanes m4, Lanes m5, Lanes (&y)[4]) {
    const Lanes s = m1 + m2, d = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
    y[0] = m0 + s + s2;
    y[1] = A * d + B * d2;
    y[2] = 0.5f * s + 2.f * s2;
    y[3] = A / 2 * d + 2 * B * d2 + m5;
}

// A vector of channels, from c on, of six pixels, `step` apart, of each of six rows, transformed. The FIRST or LAST of the
// six may not be there. What comes out is made row by row: in between there are no more than fit the registers.
template <typename Kind, bool FIRST, bool LAST>
inline void transform(const float *const *rows, int64_t step, int64_t c, float scale, float *v, int64_t far) {
    const auto d = [&](int i, int j) { return load(rows[i] + j * step + c); };
    const auto put_row = [&](int i, const Lanes(&half)[6]) {
        Lanes row[6];
        into(half[0], half[1], half[2], half[3], half[4], half[5], row);
        Kind::pack_row(row, scale, v + Kind::first(i * 6, far), far);
    };
    // The rows of two points, plus and minus.
    const auto pair = [&](int i, float square, float point) {
        Lanes plus[6] = {}, minus[6] = {};
#pragma GCC unroll 6
        for (int j = !FIRST; j < 6 - !LAST; j++) {
            const Lanes even = d(4, j) - square * d(2, j), odd = d(3, j) - square * d(1, j);
            plus[j] = even + point * odd;
            minus[j] = even - point * odd;
        }
        put_row(i, plus);
        put_row(i + 1, minus);
    };
    const auto edge = [&](int i, int from) {
        Lanes half[6] = {};
#pragma GCC unroll 6
        for (int j = !FIRST; j < 6 - !LAST; j++) half[j] = d(from, j) - 2.5f * d(from + 2, j) + d(from + 4, j);
        put_row(i, half);
    };
    edge(0, 0);
    pair(1, 2.f, A);
    pair(3, .5f, B);
    edge(5, 1);
}

struct Tile {
    int64_t image, h, w;
    float one;  // what an integer's 1 stands for
};

// The 6x6 pixels of which a tile's 4x4 results are made, transformed. `zeros` are six pixels; `pixels` is room for 6x6.
template <typename Kind>
void transform(const Shape &s, const float *x, const Tile &tile, const float *zeros, float *pixels, float *v,
               int64_t far) {
    const int64_t h0 = tile.h - s.padding, w0 = tile.w - s.padding;
    const float *rows[6];
    for (int i = 0; i < 6; i++)
        rows[i] = h0 + i >= 0 && h0 + i < s.height ? x + ((h0 + i) * s.width + w0) * s.step : zeros;
    bool first = w0 >= 0, last = w0 + 6 <= s.width;
    if ((!first && !last) || w0 < -1 || w0 + 5 > s.width) {  // more than one column is outside
        for (int i = 0; i < 6; i++) {
            float *row = pixels + i * 6 * s.step;
            for (int j = 0; j < 6; j++)
                std::copy_n(w0 + j >= 0 && w0 + j < s.width ? rows[i] + j * s.step : zeros, s.step, row + j * s.step);
            rows[i] = row;
        }
        first = last = true;
    }
    const auto some = first && last ? transform<Kind, true, true>
                      : last        ? transform<Kind, false, true>
                                    : transform<Kind, true, false>;
    for (int64_t c = 0; c < s.channels; c += LANES)
        some(rows, s.step, c, 1 / tile.one, v + Kind::units(c) * Kind::TOGETHER, far);
}

// A tile's results, for the kernels from k on, out of their 36 sums, which are FAR apart.
template <typename Kind, Added ADDED, int FAR>
void put(const Shape &s, const After &after, Ending ending, const Memory &g, const float *m, int64_t k,
         const Tile &tile) {
    using Sums = typename Kind::SumsAnywhere;
    const auto sum = [&](int i, int j) { return *reinterpret_cast<const Sums *>(m + (i * 6 + j) * FAR); };
    const int rows = std::min<int64_t>(4, s.out_height - tile.h), columns = std::min<int64_t>(4, s.out_width - tile.w);
    const int64_t step = room(s.kernels), next = g.residual ? after.stride * room(after.channels) : 0;
    const Lanes unit = ending.unit(tile.one);
    const auto put_row = [&](int i, const Lanes(&half)[6]) {
        if (i >= rows) return;
        Lanes y[4];
        out_of(half[0], half[1], half[2], half[3], half[4], half[5], y);
        float *to = g.y + ((tile.h + i) * s.out_width + tile.w) * step + k;
        const float *residual = residual_at(after, g, tile.h + i, tile.w);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            if (j < columns) store(ending.template after<ADDED>(y[j], unit, residual + j * next), to + j * step);
    };
    Lanes half[6], other[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) {
        const Lanes near = Kind::values(sum(1, j) + sum(2, j)), wide = Kind::values(sum(3, j) + sum(4, j));
        half[j] = Kind::values(sum(0, j)) + near + wide;
        other[j] = 0.5f * near + 2.f * wide;
        IN_REGISTER(half[j]);
        IN_REGISTER(other[j]);
    }
    put_row(0, half);
    put_row(2, other);
    asm("" ::: "memory");  // or the compiler would read what is below before, and has no registers for it
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) {
        const Lanes near = Kind::values(sum(1, j) - sum(2, j)), wide = Kind::values(sum(3, j) - sum(4, j));
        half[j] = A * near + B * wide;
        other[j] = A / 2 * near + 2 * B * wide + Kind::values(sum(5, j));
        IN_REGISTER(half[j]);
        IN_REGISTER(other[j]);
    }
    put_row(1, half);
    put_row(3, other);
}

// Winograd's convolution at SUMS tiles, WIDE vectors of kernels from k on.
template <typename Kind, int WIDE>
void at_tiles(const Shape &s, const After &after, const Memory &g, const Tile *tiles, int count, int64_t k,
              const float *u, const float *v, int64_t one, int64_t far, float *m) {
    constexpr int results = SUMS * WIDE * LANES + LANES;
    const int64_t units = Kind::units(Kind::TOGETHER > 1 ? room(s.channels) : s.channels);
    u += k * 36 * units;
    for (int i = 0; i < 6; i++)
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++, u += units * LANES, m += results)
            for (int first = 0; first < SUMS; first += SUMS / WIDE) {
                const Evenly at = {v + Kind::first(i * 6 + j, far) + first * one, one};
                multiply<Kind, WIDE, Kind::TOGETHER>(1, 0, units, at, u, 36 * units * LANES, m + first * WIDE * LANES);
            }
    m -= 36 * results;
    const Ending endings[2] = {Ending(s, after, g, k), Ending(s, after, g, k + (WIDE - 1) * LANES)};
    for (int p = 0; p < count; p++)
        for (int part = 0; part < WIDE; part++) {
            const Added added = endings[part].added;
            const auto put_as = added == ALL    ? put<Kind, ALL, results>
                                : added == SOME ? put<Kind, SOME, results>
                                                : put<Kind, NOTHING, results>;
            put_as(s, after, endings[part], of_image(s, after, g, tiles[p].image), m + (p * WIDE + part) * LANES,
                   k + part * LANES, tiles[p]);
        }
}

template <typename Kind>
void winograd(const Shape &s, const After &after, const Memory &g, int64_t images, const float *u, float *v, float *m,
              float *pixels) {
    const int64_t all = images * ((s.out_height + 3) / 4) * ((s.out_width + 3) / 4);
    // One vector more than needed from one of the 36 to the next, or powers of two would share a set of the cache.
    const int64_t one = Kind::units(room(s.channels)) * Kind::TOGETHER, far = SUMS * one + LANES;
    float *zeros = pixels + 36 * s.step;
    std::fill_n(zeros, 6 * s.step, 0.f);
    Tile next = {0, 0, 0, 1};
    for (int64_t first = 0; first < all; first += SUMS) {
        const int count = std::min<int64_t>(SUMS, all - first);
        Tile at[SUMS];
        for (int p = 0; p < count; p++) {
            const float *x = g.x + next.image * s.height * s.width * s.step;
            if (next.h == 0 && next.w == 0) next.one = Kind::one(x, s.height * s.width, s.step, s.channels, MOST);
            transform<Kind>(s, x, next, zeros, pixels, v + p * one, far);
            at[p] = next;
            if ((next.w += 4) >= s.out_width) next.w = 0, next.h += 4;
            if (next.h >= s.out_height) next.h = 0, next.image++;
        }
        int64_t k = 0;
        for (; k + LANES < s.kernels; k += 2 * LANES)
            at_tiles<Kind, 2>(s, after, g, at, count, k, u, v, one, far, m);
        if (k < s.kernels) at_tiles<Kind, 1>(s, after, g, at, count, k, u, v, one, far, m);
    }
}

}  // namespace
