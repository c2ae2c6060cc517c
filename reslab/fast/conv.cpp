// Convolution, bias, the shortcut's addition and ReLU as one kernel, forward only; activations are float32.
//
// The lanes of a vector are images: memory is pixels x channels x images, so that nothing depends on how many channels
// there are, and every step below is the same arithmetic on LANES images at once. What comes out for an image does not
// depend on the others.
//
// A 3x3 convolution with stride 1 is Winograd's F(4x4, 3x3) (Lavin & Gray 2015, 1509.09308): 36 products in place of
// 144 for 4x4 pixels. Its points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round less than the usual 0, +-1,
// +-2: in bfloat16 the logits are off by half as much. Any other convolution is a sum over its taps.
//
// Products are of float32, or, where the CPU has instructions for it, of bfloat16, summed in float32: two at a time.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

// A vector is one register: of two, the compiler keeps none there. A block is KERNELS x PLACES sums of products, as many
// as stay in registers.
#if defined(__AVX512F__)
constexpr int LANES = 16, KERNELS = 8, PLACES = 2;
#elif defined(__AVX__)
constexpr int LANES = 8, KERNELS = 6, PLACES = 2;
#else
constexpr int LANES = 4, KERNELS = 4, PLACES = 2;
#endif
using Lanes = float __attribute__((vector_size(LANES * sizeof(float))));

struct Shape {
    int64_t channels, height, width, kernels, out_height, out_width, side, stride, padding;
};

// What is added to a sum: the kernel's bias, and the residual's pixel (h * stride, w * stride), channel k - offset;
// beyond its channels nothing, which is option A's zero padding.
struct After {
    const float *bias;
    int64_t channels, width, stride, offset;
    bool relu;
};

// Where a pixel is outside of the image: zeros.
struct Memory {
    const Lanes *x, *residual, *zeros;
    Lanes *y;
};

using Block = Lanes[KERNELS][PLACES];

// block[k][p] += sum over the units i of v[p][i] * u[i][k]; `step` is from one unit to the next in v. A unit is a
// channel here, and two channels there; it takes four bytes in u, and a vector in v.
struct Float32 {
    static int64_t units(int64_t channels) { return channels; }

    static void multiply(int64_t units, const float *__restrict u, const Lanes *const *v, int64_t step, Block block) {
        for (int64_t i = 0; i < units; i++)
#pragma GCC unroll 8
            for (int k = 0; k < KERNELS; k++)
#pragma GCC unroll 8
                for (int p = 0; p < PLACES; p++) block[k][p] += v[p][i * step] * u[i * KERNELS + k];
    }

    // Vectors of `count` places that are `far` apart, for the channels c to c + width, as units.
    static constexpr int width = 1;
    template <int count>
    static void store(const Lanes (&from)[width][count], Lanes *v, int64_t far) {
        for (int q = 0; q < count; q++) v[q * far] = from[0][q];
    }
};

#ifdef __AVX512BF16__
struct BFloat16 {
    static int64_t units(int64_t channels) { return (channels + 1) / 2; }

    static void multiply(int64_t units, const float *__restrict u, const Lanes *const *v, int64_t step, Block block) {
        for (int64_t i = 0; i < units; i++)
#pragma GCC unroll 8
            for (int k = 0; k < KERNELS; k++) {
                const __m512bh pair = (__m512bh)_mm512_set1_ps(u[i * KERNELS + k]);
#pragma GCC unroll 8
                for (int p = 0; p < PLACES; p++)
                    block[k][p] = (Lanes)_mm512_dpbf16_ps((__m512)block[k][p], (__m512bh)v[p][i * step], pair);
            }
    }

    static constexpr int width = 2;
    template <int count>
    static void store(const Lanes (&from)[width][count], Lanes *v, int64_t far) {
        const __m512i alternate = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                                   23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
        for (int q = 0; q < count; q++) {
            const __m512bh both = _mm512_cvtne2ps_pbh((__m512)from[1][q], (__m512)from[0][q]);
            v[q * far] = (Lanes)_mm512_permutexvar_epi16(alternate, (__m512i)both);
        }
    }
};
#endif

inline const Lanes *pixel(const Shape &s, const Memory &g, int64_t h, int64_t w) {
    const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
    return inside ? g.x + (h * s.width + w) * s.channels : g.zeros;
}

inline bool adds_to(const After &after, const Memory &g, int64_t k) {
    return g.residual && k >= after.offset && k < after.offset + after.channels;
}

// Where the residual of a pixel's kernel is.
inline const Lanes *residual_at(const After &after, const Memory &g, int64_t k, int64_t h, int64_t w) {
    return g.residual + (h * after.width + w) * after.stride * after.channels + k - after.offset;
}

inline Lanes finished(const After &after, Lanes z) {
    return after.relu ? (z < 0 ? Lanes{} : z) : z;  // NaN stays NaN
}

constexpr float A = 0.70710678118654752f, B = 1.4142135623730951f;  // the points; A^2 = 1/2, B^2 = 2, AB = 1

// Of six values, by value: an array of them would lie in memory. The results are `step` vectors apart.
inline void into(Lanes d0, Lanes d1, Lanes d2, Lanes d3, Lanes d4, Lanes d5, Lanes *t, int64_t step) {
    const Lanes a = d4 - 2.f * d2, b = d3 - 2.f * d1, c = d4 - 0.5f * d2, e = d3 - 0.5f * d1;
    t[0] = d0 - 2.5f * d2 + d4;
    t[step] = a + A * b;
    t[2 * step] = a - A * b;
    t[3 * step] = c + B * e;
    t[4 * step] = c - B * e;
    t[5 * step] = d1 - 2.5f * d3 + d5;
}

inline void out_of(Lanes m0, Lanes m1, Lanes m2, Lanes m3, Lanes m4, Lanes m5, Lanes *y, int64_t step) {
    const Lanes s = m1 + m2, d = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
    y[0] = m0 + s + s2;
    y[step] = A * d + B * d2;
    y[2 * step] = 0.5f * s + 2.f * s2;
    y[3 * step] = A / 2 * d + 2 * B * d2 + m5;
}

// The 6x6 pixels of which a tile's 4x4 results are made, transformed: [36][units][PLACES], `far` apart.
template <typename Kind>
void transform(const Shape &s, const Memory &g, int64_t h0, int64_t w0, Lanes *v, int64_t far) {
    const Lanes *at[6][6];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) at[i][j] = pixel(s, g, h0 + i - s.padding, w0 + j - s.padding);
    for (int64_t unit = 0; unit < Kind::units(s.channels); unit++) {
        Lanes half[Kind::width][6][6], row[Kind::width][6];
        for (int part = 0; part < Kind::width; part++) {
            const int64_t c = unit * Kind::width + part;
            if (c == s.channels) {  // an odd number of them, in pairs
                std::fill_n(half[part][0], 36, Lanes{});
                continue;
            }
            for (int j = 0; j < 6; j++)
                into(at[0][j][c], at[1][j][c], at[2][j][c], at[3][j][c], at[4][j][c], at[5][j][c], &half[part][0][j], 6);
        }
        for (int i = 0; i < 6; i++) {
            for (int part = 0; part < Kind::width; part++) {
                const Lanes *h = half[part][i];
                into(h[0], h[1], h[2], h[3], h[4], h[5], row[part], 1);
            }
            Kind::store(row, v + i * 6 * far + unit * PLACES, far);
        }
    }
}

// The tile of a kernel out of its 36 products.
template <bool adds>
void put(const Shape &s, const After &after, const Memory &g, int64_t k, int64_t h0, int64_t w0, const Block *m, int at,
         int p) {
    Lanes half[4][6], y[4];
    for (int j = 0; j < 6; j++) {
        const auto product = [&](int i) { return m[i * 6 + j][at][p]; };
        out_of(product(0), product(1), product(2), product(3), product(4), product(5), &half[0][j], 6);
    }
    const int rows = std::min<int64_t>(4, s.out_height - h0), columns = std::min<int64_t>(4, s.out_width - w0);
    const float bias = after.bias[k];
    const int64_t next = after.stride * after.channels;
    for (int i = 0; i < rows; i++) {
        const Lanes *h = half[i];
        out_of(h[0], h[1], h[2], h[3], h[4], h[5], y, 1);
        Lanes *to = g.y + ((h0 + i) * s.out_width + w0) * s.kernels + k;
        const Lanes *from = adds ? residual_at(after, g, k, h0 + i, w0) : nullptr;
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            if (j >= columns) continue;
            Lanes z = y[j] + bias;
            if (adds) z += from[j * next];
            to[j * s.kernels] = finished(after, z);
        }
    }
}

// One vector more than needed from one of the 36 to the next, or powers of two would share a set of the cache.
template <typename Kind>
int64_t far_apart(const Shape &s) {
    return Kind::units(s.channels) * PLACES + 1;
}

template <typename Kind>
void winograd(const Shape &s, const After &after, const Memory &g, const float *u, Lanes *v) {
    const int64_t across = (s.out_width + 3) / 4, tiles = across * ((s.out_height + 3) / 4), far = far_apart<Kind>(s);
    const int64_t blocks = (s.kernels + KERNELS - 1) / KERNELS, units = Kind::units(s.channels);
    for (int64_t first = 0; first < tiles; first += PLACES) {
        const int count = std::min<int64_t>(PLACES, tiles - first);
        for (int p = 0; p < count; p++)
            transform<Kind>(s, g, (first + p) / across * 4, (first + p) % across * 4, v + p, far);
        for (int64_t b = 0; b < blocks; b++) {
            Block m[36];
            for (int q = 0; q < 36; q++) {
                Block sum = {};
                const Lanes *at[PLACES];
                for (int p = 0; p < PLACES; p++) at[p] = v + q * far + p;
                Kind::multiply(units, u + (q * blocks + b) * units * KERNELS, at, PLACES, sum);
                std::memcpy(m[q], sum, sizeof sum);
            }
            for (int p = 0; p < count; p++)
                for (int k = 0; k < KERNELS && b * KERNELS + k < s.kernels; k++) {
                    const auto it = adds_to(after, g, b * KERNELS + k) ? put<true> : put<false>;
                    it(s, after, g, b * KERNELS + k, (first + p) / across * 4, (first + p) % across * 4, m, k, p);
                }
        }
    }
}

// The pixels under the taps of some places: [taps][units][PLACES].
template <typename Kind>
void gather(const Shape &s, const Memory &g, int64_t first, Lanes *v) {
    const int64_t last = s.out_height * s.out_width - 1, units = Kind::units(s.channels), taps = s.side * s.side;
    for (int p = 0; p < PLACES; p++) {
        const int64_t place = std::min(first + p, last);
        const int64_t h = place / s.out_width * s.stride - s.padding, w = place % s.out_width * s.stride - s.padding;
        for (int64_t q = 0; q < taps; q++) {
            const Lanes *at = pixel(s, g, h + q / s.side, w + q % s.side);
            for (int64_t unit = 0; unit < units; unit++) {
                Lanes found[Kind::width][1];
                for (int part = 0; part < Kind::width; part++) {
                    const int64_t c = unit * Kind::width + part;
                    found[part][0] = c < s.channels ? at[c] : Lanes{};
                }
                Kind::store(found, v + (q * units + unit) * PLACES + p, 0);
            }
        }
    }
}

template <typename Kind>
void direct(const Shape &s, const After &after, const Memory &g, const float *u, Lanes *v) {
    const int64_t pixels = s.out_height * s.out_width, blocks = (s.kernels + KERNELS - 1) / KERNELS;
    const int64_t units = Kind::units(s.channels) * s.side * s.side;
    for (int64_t first = 0; first < pixels; first += PLACES) {
        gather<Kind>(s, g, first, v);
        const Lanes *at[PLACES];
        for (int p = 0; p < PLACES; p++) at[p] = v + p;
        for (int64_t b = 0; b < blocks; b++) {
            Block sum = {};
            Kind::multiply(units, u + b * units * KERNELS, at, PLACES, sum);
            for (int k = 0; k < KERNELS && b * KERNELS + k < s.kernels; k++)
                for (int p = 0; p < PLACES && first + p < pixels; p++) {
                    const int64_t kernel = b * KERNELS + k, place = first + p;
                    Lanes z = sum[k][p] + after.bias[kernel];
                    if (adds_to(after, g, kernel))
                        z += *residual_at(after, g, kernel, place / s.out_width, place % s.out_width);
                    g.y[place * s.kernels + kernel] = finished(after, z);
                }
        }
    }
}

template <typename Kind>
void run(const Shape &s, const After &after, Memory g, const float *u, bool fast) {
    const int64_t units = Kind::units(s.channels);
    const int64_t vectors = fast ? 36 * far_apart<Kind>(s) : units * s.side * s.side * PLACES;
    Lanes *memory = static_cast<Lanes *>(std::aligned_alloc(sizeof(Lanes), (s.channels + vectors) * sizeof(Lanes)));
    std::fill_n(memory, s.channels, Lanes{});
    g.zeros = memory;
    (fast ? winograd<Kind> : direct<Kind>)(s, after, g, u, memory + s.channels);
    std::free(memory);
}

}  // namespace

// How many images a call takes.
extern "C" int64_t convolve_lanes() { return LANES; }

// How many kernels a block of the packed weights holds.
extern "C" int64_t convolve_block() { return KERNELS; }

// Whether there are products of bfloat16.
extern "C" int64_t convolve_bfloat16() {
#ifdef __AVX512BF16__
    return true;
#else
    return false;
#endif
}

// One convolution. x: [height][width][channels][LANES], and so on for y and the residual, which may be null.
// u: Winograd's [36][blocks][units][block], else [blocks][side x side][units][block].
struct Call {
    const int64_t *numbers;
    const float *x, *u, *bias, *residual;
    float *y;
};

// Several, one after the other.
extern "C" void convolve(int64_t count, const Call *calls) {
    const auto lanes = [](const float *of) { return reinterpret_cast<const Lanes *>(of); };
    for (const Call *call = calls; call < calls + count; call++) {
        const int64_t *n = call->numbers;
        const Shape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]};
        const After after{call->bias, n[9], n[10], n[11], n[12], bool(n[13])};
        const Memory g{lanes(call->x), lanes(call->residual), nullptr, reinterpret_cast<Lanes *>(call->y)};
#ifdef __AVX512BF16__
        if (n[15]) {
            run<BFloat16>(s, after, g, call->u, n[14]);
            continue;
        }
#endif
        run<Float32>(s, after, g, call->u, n[14]);
    }
}
