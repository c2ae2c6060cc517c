// Convolution, bias, the shortcut's addition and ReLU as one kernel, forward only, in float32.
//
// The lanes of a vector are 16 images: memory is pixels x channels x images, so that nothing depends on how many channels
// there are, and every step below is the same arithmetic on 16 images at once. What comes out for an image does not
// depend on the other 15.
//
// A 3x3 convolution with stride 1 is Winograd's F(4x4, 3x3) (Lavin & Gray 2015, 1509.09308, section 4.3): 36 products in
// place of 144 for 4x4 pixels. Any other one is a sum over its taps.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using Lanes = float __attribute__((vector_size(64)));

// A block is KERNELS x PLACES sums of products, as many as fit into the registers.
#ifdef __AVX512F__
constexpr int KERNELS = 8, PLACES = 2;
#else
constexpr int KERNELS = 4, PLACES = 1;
#endif

struct Shape {
    int64_t channels, height, width, kernels, out_height, out_width, side, stride, padding;
};

// What is added to a sum: the kernel's bias, and the residual's pixel (h * stride, w * stride), channel k - offset; beyond
// its channels nothing, which is option A's zero padding.
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

// block[k][p] += sum over the channels c of v[p][c] * u[c][k]; `step` is from one c to the next in v.
inline void multiply(int64_t channels, const float *__restrict u, const Lanes *const *v, int64_t step, Block block) {
    for (int64_t c = 0; c < channels; c++)
#pragma GCC unroll 8
        for (int k = 0; k < KERNELS; k++)
#pragma GCC unroll 8
            for (int p = 0; p < PLACES; p++) block[k][p] += v[p][c * step] * u[c * KERNELS + k];
}

inline const Lanes *pixel(const Shape &s, const Memory &g, int64_t h, int64_t w) {
    const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
    return inside ? g.x + (h * s.width + w) * s.channels : g.zeros;
}

inline void finish(const Shape &s, const After &after, const Memory &g, int64_t k, int64_t h, int64_t w, Lanes z) {
    z += after.bias[k];
    const int64_t c = k - after.offset;
    if (g.residual && c >= 0 && c < after.channels)
        z += g.residual[((h * after.width + w) * after.stride * after.channels + c)];
    if (after.relu) z = z < 0 ? Lanes{} : z;  // NaN stays NaN
    g.y[((h * s.out_width + w) * s.kernels + k)] = z;
}

inline void into(const Lanes d[6], Lanes t[6]) {  // B^T d
    const Lanes a = d[4] - 4.f * d[2], b = d[3] - 4.f * d[1], c = d[4] - d[2], e = d[3] - d[1];
    t[0] = 4.f * d[0] - 5.f * d[2] + d[4];
    t[1] = a + b;
    t[2] = a - b;
    t[3] = c + 2.f * e;
    t[4] = c - 2.f * e;
    t[5] = 4.f * d[1] - 5.f * d[3] + d[5];
}

inline void out_of(const Lanes m[6], Lanes y[4]) {  // A^T m
    const Lanes s = m[1] + m[2], d = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
    y[0] = m[0] + s + s2;
    y[1] = d + 2.f * d2;
    y[2] = s + 4.f * s2;
    y[3] = d + 8.f * d2 + m[5];
}

// The 6x6 pixels of which a tile's 4x4 results are made, transformed: [36][channels][PLACES], `far` apart.
void transform(const Shape &s, const Memory &g, int64_t h0, int64_t w0, Lanes *v, int64_t far) {
    const Lanes *at[6][6];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) at[i][j] = pixel(s, g, h0 + i - s.padding, w0 + j - s.padding);
    for (int64_t c = 0; c < s.channels; c++) {
        Lanes half[6][6], d[6], t[6];
        for (int j = 0; j < 6; j++) {
            for (int i = 0; i < 6; i++) d[i] = at[i][j][c];
            into(d, t);
            for (int i = 0; i < 6; i++) half[i][j] = t[i];
        }
        for (int i = 0; i < 6; i++) {
            into(half[i], t);
            for (int j = 0; j < 6; j++) v[(i * 6 + j) * far + c * PLACES] = t[j];
        }
    }
}

// The tile of a kernel out of its 36 products.
void put(const Shape &s, const After &after, const Memory &g, int64_t k, int64_t h0, int64_t w0, const Block *m, int at,
         int p) {
    Lanes half[4][6], d[6], y[4];
    for (int j = 0; j < 6; j++) {
        for (int i = 0; i < 6; i++) d[i] = m[i * 6 + j][at][p];
        out_of(d, y);
        for (int i = 0; i < 4; i++) half[i][j] = y[i];
    }
    for (int i = 0; i < 4 && h0 + i < s.out_height; i++) {
        out_of(half[i], y);
        for (int j = 0; j < 4 && w0 + j < s.out_width; j++) finish(s, after, g, k, h0 + i, w0 + j, y[j]);
    }
}

// One channel's vectors more than needed from one of the 36 to the next, or powers of two would share a set of the cache.
int64_t far_apart(const Shape &s) { return s.channels * PLACES + 1; }

void winograd(const Shape &s, const After &after, const Memory &g, const float *u, Lanes *v) {
    const int64_t across = (s.out_width + 3) / 4, tiles = across * ((s.out_height + 3) / 4), far = far_apart(s);
    const int64_t blocks = (s.kernels + KERNELS - 1) / KERNELS;
    for (int64_t first = 0; first < tiles; first += PLACES) {
        const int count = std::min<int64_t>(PLACES, tiles - first);
        for (int p = 0; p < count; p++) transform(s, g, (first + p) / across * 4, (first + p) % across * 4, v + p, far);
        for (int64_t b = 0; b < blocks; b++) {
            Block m[36];
            for (int q = 0; q < 36; q++) {
                Block sum = {};
                const Lanes *at[PLACES];
                for (int p = 0; p < PLACES; p++) at[p] = v + q * far + p;
                multiply(s.channels, u + (q * blocks + b) * s.channels * KERNELS, at, PLACES, sum);
                std::memcpy(m[q], sum, sizeof sum);
            }
            for (int p = 0; p < count; p++)
                for (int k = 0; k < KERNELS && b * KERNELS + k < s.kernels; k++)
                    put(s, after, g, b * KERNELS + k, (first + p) / across * 4, (first + p) % across * 4, m, k, p);
        }
    }
}

void direct(const Shape &s, const After &after, const Memory &g, const float *u) {
    const int64_t pixels = s.out_height * s.out_width, blocks = (s.kernels + KERNELS - 1) / KERNELS;
    std::vector<const Lanes *> at(s.side * s.side * PLACES);
    for (int64_t first = 0; first < pixels; first += PLACES) {
        for (int p = 0; p < PLACES; p++) {
            const int64_t place = std::min(first + p, pixels - 1);
            const int64_t h = place / s.out_width * s.stride - s.padding, w = place % s.out_width * s.stride - s.padding;
            for (int64_t q = 0; q < s.side * s.side; q++) at[q * PLACES + p] = pixel(s, g, h + q / s.side, w + q % s.side);
        }
        for (int64_t b = 0; b < blocks; b++) {
            Block sum = {};
            for (int64_t q = 0; q < s.side * s.side; q++)
                multiply(s.channels, u + (q * blocks + b) * s.channels * KERNELS, &at[q * PLACES], 1, sum);
            for (int k = 0; k < KERNELS && b * KERNELS + k < s.kernels; k++)
                for (int p = 0; p < PLACES && first + p < pixels; p++)
                    finish(s, after, g, b * KERNELS + k, (first + p) / s.out_width, (first + p) % s.out_width, sum[k][p]);
        }
    }
}

}  // namespace

// How many kernels a block of the packed weights holds.
extern "C" int64_t convolve_block() { return KERNELS; }

// x: [height][width][channels][16], and so on for y and the residual, which may be null.
// u: [taps][blocks][channels][block], where the taps are 36 of Winograd's, or side x side.
extern "C" void convolve(const int64_t *n, const float *x, const float *u, const float *bias, const float *residual,
                         float *y) {
    const Shape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]};
    const After after{bias, n[9], n[10], n[11], n[12], bool(n[13])};
    const bool fast = n[14];
    const int64_t vectors = s.channels + (fast ? 36 * far_apart(s) : 0);
    Lanes *memory = static_cast<Lanes *>(std::aligned_alloc(sizeof(Lanes), vectors * sizeof(Lanes)));
    std::fill_n(memory, s.channels, Lanes{});
    const auto lanes = [](const float *of) { return reinterpret_cast<const Lanes *>(of); };
    const Memory g{lanes(x), lanes(residual), memory, reinterpret_cast<Lanes *>(y)};
    if (fast) winograd(s, after, g, u, memory + s.channels); else direct(s, after, g, u);
    std::free(memory);
}
