// Winograd's F(4x4, 3x3) (Lavin & Gray 2015, 1509.09308), for a 3x3 convolution with stride 1: 36 products in place of
// 144 for 4x4 pixels. Its points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round less than the usual 0, +-1,
// +-2: in bfloat16 the logits are off by half as much.

#pragma once
#include "layer.h"
#include "products.h"

namespace {

constexpr float A = 0.70710678118654752f, B = 1.4142135623730951f;  // the points; A^2 = 1/2, B^2 = 2, AB = 1

// Each of the six times a number that conv.py takes out again (INTO): no factor is more than 1, and integers lose about
// as much among the pixels as among the weights.
template <typename Pixels, typename Vector = typename Pixels::Vector>
inline void into(Vector d0, Vector d1, Vector d2, Vector d3, Vector d4, Vector d5, Vector (&t)[6]) {
    const auto times = [](Vector z, float factor) { return Pixels::times(z, factor); };
    const Vector even = times(d4, 0.5f) - d2, odd = times(d3, A / 2) - times(d1, A);
    const Vector even2 = times(d4, A / 2) - times(d2, A / 4), odd2 = times(d3, 0.5f) - times(d1, 0.25f);
    t[0] = times(d0 + d4, 0.4f) - d2;
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = even2 + odd2;
    t[4] = even2 - odd2;
    t[5] = times(d1 + d5, 0.4f) - d3;
}
// No number is more times the largest of its pixels after both passes: MOST of an image's integers is then a number of
// 15 bits, of which what roundings add takes less than 16. The weights get as much of 30: the sums of two
// places are added.
constexpr float GAIN = 2.561f * 2.561f, MOST = (32767 - 16) / GAIN;

inline void out_of(Lanes m0, Lanes m1, Lanes m2, Lanes m3, Lanes m4, Lanes m5, Lanes (&y)[4]) {
    const Lanes s = m1 + m2, d = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
    y[0] = m0 + s + s2;
    y[1] = A * d + B * d2;
    y[2] = 0.5f * s + 2.f * s2;
    y[3] = A / 2 * d + 2 * B * d2 + m5;
}

// A vector of channels of 6x6 pixels, transformed: of each of the 36 as many units, `far` apart. `row` is from one row
// of pixels to the next. It does to columns what `into` then does to rows, for a row or two at a time: in between there
// are no more than fit the registers.
template <typename Kind>
[[gnu::noinline]] void transform(const float *from, int64_t step, int64_t row, float *v, int64_t far) {
    using Pixels = typename Kind::Pixels;
    using Vector = typename Pixels::Vector;
    const auto times = [](Vector z, float factor) { return Pixels::times(z, factor); };
    Vector plus[6], minus[6];
    const auto columns = [&](auto column) {
        const float *at = from;
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++, at += step) {
            ONE_INDEX(at);
            column(j, [&](int i) { return (Vector)load(at + i * row); });
        }
    };
    const auto put_row = [&](const Vector(&half)[6]) {
        Vector t[6];
        into<Pixels>(half[0], half[1], half[2], half[3], half[4], half[5], t);
        for (int j = 0; j < 6; j++) Kind::put(t[j], v + j * far);
        v += 6 * far;
        ONE_INDEX(v);
    };
    columns([&](int j, auto d) { plus[j] = times(d(0) + d(4), 0.4f) - d(2); });
    put_row(plus);
    columns([&](int j, auto d) {
        const Vector even = times(d(4), 0.5f) - d(2), odd = times(d(3), A / 2) - times(d(1), A);
        plus[j] = even + odd;
        minus[j] = even - odd;
    });
    put_row(plus);
    put_row(minus);
    columns([&](int j, auto d) {
        const Vector even = times(d(4), A / 2) - times(d(2), A / 4), odd = times(d(3), 0.5f) - times(d(1), 0.25f);
        plus[j] = even + odd;
        minus[j] = even - odd;
    });
    put_row(plus);
    put_row(minus);
    columns([&](int j, auto d) { plus[j] = times(d(1) + d(5), 0.4f) - d(3); });
    put_row(plus);
}

// Where a tile's 4x4 results go, or as many of them as there are, and what is added to them.
struct Tile {
    float *y;
    const float *residual;
    int rows, columns;
    float one;  // what an integer's 1 stands for
};

// How many numbers it is from one to the next.
struct Steps {
    int64_t pixel, row, residual_pixel, residual_row;
};

// A tile's results, for the kernels from k on, out of their 36 sums, which are FAR apart. WHOLE: all 4x4.
template <typename Kind, Added ADDED, bool WHOLE, int FAR>
void put(const Ending &ending, const Steps &steps, const float *m, int64_t k, const Tile &tile) {
    using Sums = typename Kind::SumsAnywhere;
    const auto sum = [&](int i, int j) { return *reinterpret_cast<const Sums *>(m + (i * 6 + j) * FAR); };
    const Lanes unit = ending.unit(tile.one);
    // Of its own: what is stored might be the original, as far as the compiler knows.
    const Steps step = steps;
    float *const to = tile.y + k;
    const float *const residual = ADDED != NOTHING ? tile.residual + ending.from : nullptr;
    const int rows = tile.rows, columns = tile.columns;
    const auto put_row = [&](int i, const Lanes(&half)[6]) {
        if (!WHOLE && i >= rows) return;
        Lanes y[4];
        out_of(half[0], half[1], half[2], half[3], half[4], half[5], y);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            if (WHOLE || j < columns) {
                const float *added = residual + i * step.residual_row + j * step.residual_pixel;
                store(ending.template after<ADDED>(y[j], unit, added), to + i * step.row + j * step.pixel);
            }
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

template <typename Kind, Added ADDED, int FAR>
[[gnu::noinline]] void put_tile(const Ending &ending, const Steps &steps, const float *m, int64_t k, const Tile &tile) {
    const bool whole = tile.rows == 4 && tile.columns == 4;
    (whole ? put<Kind, ADDED, true, FAR> : put<Kind, ADDED, false, FAR>)(ending, steps, m, k, tile);
}

// Winograd's convolution at SUMS tiles, WIDE vectors of kernels from k on.
template <typename Kind, int WIDE>
void at_tiles(const Shape &s, const After &after, const Steps &steps, const Tile *tiles, int count, int64_t k,
              const float *u, const float *v, int64_t vectors, int64_t far, float *m) {
    constexpr int FAR = (SUMS * WIDE + 1) * LANES, UNITS = Kind::units(Kind::Pixels::CHANNELS);
    const int64_t weights = vectors * UNITS * LANES;
    u += k / LANES * 36 * weights;
    for (int place = 0; place < 36; place++, u += weights, v += far)
        for (int first = 0; first < SUMS; first += SUMS / WIDE)
            multiply<Kind, WIDE, UNITS>(vectors, v + first * UNITS, u, 36 * weights,
                                        m + place * FAR + first * WIDE * LANES);
    const Ending endings[2] = {{s, after, tiles->residual, k}, {s, after, tiles->residual, k + (WIDE - 1) * LANES}};
    for (int p = 0; p < count; p++)
        for (int part = 0; part < WIDE; part++, m += LANES) {
            const Ending &ending = endings[part];
            const auto put_as = ending.added == ALL    ? put_tile<Kind, ALL, FAR>
                                : ending.added == SOME ? put_tile<Kind, SOME, FAR>
                                                       : put_tile<Kind, NOTHING, FAR>;
            put_as(ending, steps, m, k + part * LANES, tiles[p]);
        }
}

template <typename Kind>
void winograd(const Shape &s, const After &after, const Memory &g, int64_t images, const float *u) {
    using Pixels = typename Kind::Pixels;
    constexpr int CHANNELS = Pixels::CHANNELS, UNITS = Kind::units(CHANNELS);
    const int64_t down = (s.out_height + 3) / 4, across = (s.out_width + 3) / 4, all = images * down * across;
    const int64_t vectors = (s.channels + CHANNELS - 1) / CHANNELS, one = vectors * LANES, row = (4 * across + 2) * one;
    // One vector more than needed from one of the 36 to the next, or powers of two would share a set of the cache.
    const int64_t far = vectors * SUMS * UNITS + LANES;
    const int64_t added = room(after.channels) * after.stride;
    const Steps steps = {room(s.kernels), s.out_width * room(s.kernels), added, after.width * added};
    const Room pixels((4 * down + 2) * row + LANES), v(36 * far), m(36 * (2 * SUMS + 1) * LANES);
    int64_t image = 0, h = 0, w = 0;
    float unit = 1;
    for (int64_t first = 0; first < all; first += SUMS) {
        const int count = std::min<int64_t>(SUMS, all - first);
        Tile tiles[SUMS];
        for (int p = 0; p < count; p++) {
            const Memory its = of_image(s, after, g, image);
            if (h == 0 && w == 0) {
                unit = Kind::one(its.x, s.height * s.width, s.step, s.channels, MOST);
                pad<Pixels>(s, its.x, 1 / unit, 4 * down + 2, row, vectors * CHANNELS, pixels.at);
            }
            for (int64_t c = 0; c < vectors; c++)
                transform<Kind>(pixels.at + h * row + w * one + c * LANES, one, row,
                                v.at + (c * SUMS + p) * UNITS, far);
            tiles[p] = {its.y + h * steps.row + w * steps.pixel,
                        its.residual ? its.residual + h * steps.residual_row + w * steps.residual_pixel : nullptr,
                        int(std::min<int64_t>(4, s.out_height - h)), int(std::min<int64_t>(4, s.out_width - w)), unit};
            if ((w += 4) >= s.out_width) w = 0, h += 4;
            if (h >= s.out_height) h = 0, image++;
        }
        int64_t k = 0;
        for (; k + LANES < s.kernels; k += 2 * LANES)
            at_tiles<Kind, 2>(s, after, steps, tiles, count, k, u, v.at, vectors, far, m.at);
        if (k < s.kernels) at_tiles<Kind, 1>(s, after, steps, tiles, count, k, u, v.at, vectors, far, m.at);
    }
}

}  // namespace
