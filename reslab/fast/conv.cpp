// Convolution, bias, the shortcut's addition and ReLU as one kernel, forward only; activations are float32.
//
// The lanes of a vector are channels: memory is images x height x width x channels, with zeros after the channels up to
// a whole vector. What comes out for an image does not depend on the others.
//
// A 3x3 convolution with stride 1 can be Winograd's F(4x4, 3x3) (Lavin & Gray 2015, 1509.09308): 36 products in place of
// 144 for 4x4 pixels. Its points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round less than the usual 0, +-1,
// +-2: in bfloat16 the logits are off by half as much. Any other convolution is a sum over its taps.
//
// Products are of float32, or, where the CPU has instructions for it, of bfloat16, summed in float32: two at a time.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
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
constexpr int GROUP = SUMS / 2;  // images that go through a net together: their activations stay in the caches
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

// `step` is from one pixel of x to the next.
struct Shape {
    int64_t channels, step, height, width, kernels, out_height, out_width, side, stride, padding;
};

// What is added to a sum: the kernel's bias, and the residual's pixel (h * stride, w * stride), channel k - offset;
// beyond its channels nothing, which is option A's zero padding.
struct After {
    const float *bias;
    int64_t channels, height, width, stride, offset;
    bool relu;
};

struct Memory {
    const float *x, *residual;
    float *y;
};

// What is multiplied: a unit is a channel, or two of them in bfloat16. It takes four bytes.
struct Float32 {
    static int64_t units(int64_t channels) { return channels; }
    static Lanes add(Lanes sum, Lanes weights, const float *unit) { return sum + weights * *unit; }
    static void pack(Lanes z, float *to) { store(z, to); }
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
    // Of `count` numbers, less than a vector; zeros may follow them.
    static void pack(const float *from, int64_t count, float *to) {
        pack((Lanes)_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), from), to);
    }
};
#endif

// WIDE vectors of kernels at SUMS / WIDE places: at each the sum, over `rows` and over the units i of each, of
// at[place][row * row_step + i] * u[row][i]. The other vector's weights are `far` away.
template <typename Kind, int WIDE>
[[gnu::noinline]] void multiply(int64_t rows, int64_t row_step, int64_t units, const float *const *at, const float *u, int64_t far,
                     float *m) {
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

// What follows the sums of a vector of kernels, from k on.
class Ending {
  public:
    Ending(const Shape &s, const After &after, int64_t k)
        : bias(load(after.bias + k)), relu(after.relu), from(k - after.offset), channels(after.channels),
          // After as many channels as there are kernels come zeros for the zeros after the kernels.
          whole(from >= 0 && from + LANES <= (channels == s.kernels ? room(channels) : channels)) {}

    // Of a sum and the pixel, if any, that is added to it.
    Lanes operator()(Lanes z, const float *residual) const {
        z += bias;
        if (residual) z += whole ? load(residual + from) : some(residual);
        return relu ? (z < 0 ? Lanes{} : z) : z;  // NaN stays NaN
    }

  private:
    const Lanes bias;
    const bool relu;
    const int64_t from, channels;
    const bool whole;

    Lanes some(const float *residual) const {
        Lanes found = {};
        for (int lane = 0; lane < LANES; lane++)
            if (from + lane >= 0 && from + lane < channels) found[lane] = residual[from + lane];
        return found;
    }
};

// The pixel of the residual that is added to (h, w).
inline const float *residual_at(const After &after, const Memory &g, int64_t h, int64_t w) {
    return g.residual ? g.residual + (h * after.width + w) * after.stride * room(after.channels) : nullptr;
}

// The memory of one image.
inline Memory of_image(const Shape &s, const After &after, const Memory &g, int64_t image) {
    return {g.x + image * s.height * s.width * s.step,
            g.residual ? g.residual + image * after.height * after.width * room(after.channels) : nullptr,
            g.y + image * s.out_height * s.out_width * room(s.kernels)};
}

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

// An image as units, with the zeros around it.
template <typename Kind>
void pad(const Shape &s, const float *x, float *v) {
    const int64_t one = Kind::units(s.channels), wide = s.width + 2 * s.padding;
    std::fill_n(v, (s.height + 2 * s.padding) * wide * one, 0.f);
    for (int64_t h = 0; h < s.height; h++)
        for (int64_t w = 0; w < s.width; w++) {
            const float *from = x + (h * s.width + w) * s.step;
            float *to = v + ((h + s.padding) * wide + w + s.padding) * one;
            int64_t c = 0;
            for (; c + LANES <= s.channels; c += LANES) Kind::pack(load(from + c), to + Kind::units(c));
            if (c < s.channels) Kind::pack(from + c, s.channels - c, to + Kind::units(c));  // zeros after them, or the next pixel
        }
}

// Sums over the taps of WIDE vectors of kernels, from k on.
template <typename Kind, int WIDE>
void sums(const Shape &s, const After &after, const Memory &g, int64_t k, const float *u, const float *v) {
    constexpr int PLACES = SUMS / WIDE;
    const int64_t one = Kind::units(s.channels), wide = s.width + 2 * s.padding, terms = s.side * s.side * one;
    const int64_t pixels = s.out_height * s.out_width, step = room(s.kernels);
    const Ending endings[2] = {Ending(s, after, k), Ending(s, after, k + (WIDE - 1) * LANES)};
    int64_t h = 0, w = 0;
    for (int64_t first = 0; first < pixels; first += PLACES) {
        const int count = std::min<int64_t>(PLACES, pixels - first);
        const float *at[PLACES], *residual[PLACES];
        for (int p = 0; p < PLACES; p++) {
            at[p] = p < count ? v + (h * wide + w) * s.stride * one : v;
            residual[p] = p < count ? residual_at(after, g, h, w) : nullptr;
            if (++w == s.out_width) w = 0, h++;
        }
        float m[SUMS * LANES];
        multiply<Kind, WIDE>(s.side, wide * one, s.side * one, at, u + k * terms, terms * LANES, m);
        for (int p = 0; p < count; p++)
            for (int part = 0; part < WIDE; part++)
                store(endings[part](load(m + (p * WIDE + part) * LANES), residual[p]),
                      g.y + (first + p) * step + k + part * LANES);
    }
}

template <typename Kind>
void direct(const Shape &s, const After &after, const Memory &g, const float *u, float *v) {
    pad<Kind>(s, g.x, v);
    int64_t k = 0;
    for (; k + LANES < s.kernels; k += 2 * LANES) sums<Kind, 2>(s, after, g, k, u, v);
    if (k < s.kernels) sums<Kind, 1>(s, after, g, k, u, v);
}

template <typename Kind>
void run(const Shape &s, const After &after, const Memory &g, int64_t images, const float *u, bool fast) {
    const int64_t padded = (s.height + 2 * s.padding) * (s.width + 2 * s.padding) * Kind::units(s.channels) + LANES;
    const int64_t transformed = 36 * (SUMS * Kind::units(room(s.channels)) + LANES);
    const int64_t results = 36 * (SUMS * 2 + 1) * LANES;
    const int64_t numbers = fast ? transformed + results : padded, bytes = numbers * sizeof(float);
    float *v = static_cast<float *>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    if (fast)
        winograd<Kind>(s, after, g, images, u, v, v + transformed);
    else
        for (int64_t image = 0; image < images; image++) direct<Kind>(s, after, of_image(s, after, g, image), u, v);
    std::free(v);
}

}  // namespace

// How many channels a vector has.
extern "C" int64_t convolve_lanes() { return LANES; }

// How many images go through a net together.
extern "C" int64_t convolve_group() { return GROUP; }

// Whether there are products of bfloat16.
extern "C" int64_t convolve_bfloat16() {
#ifdef __AVX512BF16__
    return true;
#else
    return false;
#endif
}

// One convolution. x: [images][height][width][step], y and the residual, which may be null, with room(channels) in
// place of the step. u: [vectors of kernels][36, or side x side][units][LANES]; bias: [room(kernels)].
struct Call {
    const int64_t *numbers;
    const float *x, *u, *bias, *residual;
    float *y;
};

// Several, one after the other, GROUP images at a time: x and residual of the first and y of the last are of all images,
// what is in between is of one group.
extern "C" void convolve(int64_t count, const Call *calls, int64_t images) {
    for (int64_t first = 0; first < images; first += GROUP)
        for (int64_t which = 0; which < count; which++) {
            const Call &call = calls[which];
            const int64_t *n = call.numbers, together = std::min<int64_t>(GROUP, images - first);
            const Shape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]};
            const After after{call.bias, n[10], n[11], n[12], n[13], n[14], bool(n[15])};
            Memory g{call.x, call.residual, call.y};
            const Memory later = of_image(s, after, g, first);
            if (which == 0) g.x = later.x, g.residual = later.residual;
            if (which == count - 1) g.y = later.y;
#ifdef __AVX512BF16__
            if (n[17]) {
                run<BFloat16>(s, after, g, together, call.u, n[16]);
                continue;
            }
#endif
            run<Float32>(s, after, g, together, call.u, n[16]);
        }
}
