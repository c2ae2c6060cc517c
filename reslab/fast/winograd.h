// Winograd's F(4x4, 3x3) (Lavin & Gray 2015, 1509.09308), for a 3x3 convolution with stride 1: 36 products in place of
// 144 for 4x4 pixels. Its points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round less than the usual 0, +-1,
// +-2: in bfloat16 the logits are off by half as much.

#pragma once
#include "layer.h"

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

inline void out_of(Lanes m0, Lanes m1, Lanes m2, Lanes m3, Lanes m4, Lanes m5, Lanes (&y)[4]) {
    const Lanes s = m1 + m2, d = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
    y[0] = m0 + s + s2;
    y[1] = A * d + B * d2;
    y[2] = 0.5f * s + 2.f * s2;
    y[3] = A / 2 * d + 2 * B * d2 + m5;
}

// The 6x6 pixels from (h0, w0) on, of which a tile's 4x4 results are made, transformed: 36 times units, `far` apart.
template <typename Kind>
void transform(const Shape &s, const float *x, int64_t h0, int64_t w0, float *v, int64_t far) {
    const float *rows[6];
    for (int i = 0; i < 6; i++)
        rows[i] = h0 + i >= 0 && h0 + i < s.height ? x + ((h0 + i) * s.width + w0) * s.step : nullptr;
    for (int64_t c = 0; c < s.channels; c += LANES) {
        Lanes half[6][6];  // [column][row]
        for (int j = 0; j < 6; j++) {
            if (w0 + j < 0 || w0 + j >= s.width) {
                std::fill_n(half[j], 6, Lanes{});
                continue;
            }
            const auto d = [&](int i) { return rows[i] ? load(rows[i] + j * s.step + c) : Lanes{}; };
            into(d(0), d(1), d(2), d(3), d(4), d(5), half[j]);
        }
        for (int i = 0; i < 6; i++) {
            Lanes row[6];
            into(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i], row);
            for (int j = 0; j < 6; j++) Kind::pack(row[j], v + (i * 6 + j) * far + Kind::units(c));
        }
    }
}

// A tile's results, for the kernels from k on, out of their 36 products, which are `far` apart.
inline void put(const Shape &s, const After &after, const Ending &ending, const Memory &g, const float *m, int64_t far,
                int64_t k, int64_t h0, int64_t w0) {
    Lanes half[6][4];
    for (int j = 0; j < 6; j++) {
        const auto product = [&](int i) { return load(m + (i * 6 + j) * far); };
        out_of(product(0), product(1), product(2), product(3), product(4), product(5), half[j]);
    }
    const int rows = std::min<int64_t>(4, s.out_height - h0), columns = std::min<int64_t>(4, s.out_width - w0);
    const int64_t step = room(s.kernels), next = g.residual ? after.stride * room(after.channels) : 0;
    for (int i = 0; i < rows; i++) {
        Lanes y[4];
        out_of(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i], y);
        float *to = g.y + ((h0 + i) * s.out_width + w0) * step + k;
        const float *residual = residual_at(after, g, h0 + i, w0);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            if (j < columns) store(ending(y[j], residual + j * next), to + j * step);
    }
}

struct Tile {
    int64_t image, h, w;
};

// Winograd's convolution at SUMS tiles, WIDE vectors of kernels from k on.
template <typename Kind, int WIDE>
void at_tiles(const Shape &s, const After &after, const Memory &g, const Tile *tiles, int count, int64_t k,
              const float *u, const float *v, int64_t far, float *m) {
    constexpr int64_t results = SUMS * WIDE * LANES + LANES;
    const int64_t units = Kind::units(s.channels), one = Kind::units(room(s.channels));
    for (int q = 0; q < 36; q++)
        for (int first = 0; first < SUMS; first += SUMS / WIDE) {
            const float *at[SUMS / WIDE];
            for (int p = 0; p < SUMS / WIDE; p++) at[p] = v + q * far + (first + p) * one;
            multiply<Kind, WIDE>(1, 0, units, at, u + (k / LANES * 36 + q) * units * LANES, 36 * units * LANES,
                                 m + q * results + first * WIDE * LANES);
        }
    for (int part = 0; part < WIDE; part++) {
        const Ending ending(s, after, k + part * LANES);
        for (int p = 0; p < count; p++)
            put(s, after, ending, of_image(s, after, g, tiles[p].image), m + (p * WIDE + part) * LANES, results,
                k + part * LANES, tiles[p].h, tiles[p].w);
    }
}

template <typename Kind>
void winograd(const Shape &s, const After &after, const Memory &g, int64_t images, const float *u, float *v, float *m) {
    const int64_t across = (s.out_width + 3) / 4, tiles = across * ((s.out_height + 3) / 4), all = images * tiles;
    // One vector more than needed from one of the 36 to the next, or powers of two would share a set of the cache.
    const int64_t one = Kind::units(room(s.channels)), far = SUMS * one + LANES;
    for (int64_t first = 0; first < all; first += SUMS) {
        const int count = std::min<int64_t>(SUMS, all - first);
        Tile at[SUMS];
        for (int p = 0; p < count; p++) {
            const int64_t image = (first + p) / tiles, tile = (first + p) % tiles;
            at[p] = {image, tile / across * 4, tile % across * 4};
            transform<Kind>(s, g.x + image * s.height * s.width * s.step, at[p].h - s.padding, at[p].w - s.padding,
                            v + p * one, far);
        }
        int64_t k = 0;
        for (; k + LANES < s.kernels; k += 2 * LANES) at_tiles<Kind, 2>(s, after, g, at, count, k, u, v, far, m);
        if (k < s.kernels) at_tiles<Kind, 1>(s, after, g, at, count, k, u, v, far, m);
    }
}

}  // namespace
