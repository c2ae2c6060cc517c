// Batch norm, the shortcut's addition and ReLU as one kernel, forward and backward (Ioffe & Szegedy 2015, 1502.03167).
//
// PyTorch runs them as three kernels forward and four backward, and each sweeps the whole activation through memory.
// Here the forward pass reads it twice (statistics, then everything else) and the backward pass twice, a cache-sized
// chunk at a time.
//
// Memory is channels last: pixels x channels. It is walked in rows of LANES values, a multiple of every vector width and
// of every supported channel count up to 64; more channels are cut into blocks of LANES. Sums are taken chunk by chunk
// and the chunks added up in order and in double, so a result does not depend on the number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace {

constexpr int64_t LANES = 64, ROWS = 256;  // ROWS x LANES values are a chunk: 32 KiB in bfloat16

struct bfloat16 { uint16_t bits; };

inline float load(float value) { return value; }
inline float load(bfloat16 value) {
    const uint32_t bits = uint32_t(value.bits) << 16;
    float result;
    std::memcpy(&result, &bits, 4);
    return result;
}

inline void store(float &to, float value) { to = value; }
inline void store(bfloat16 &to, float value) {  // round to nearest even; NaN stays NaN
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    to.bits = value != value ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

struct Shape {
    int64_t pixels, channels;

    int64_t blocks() const { return std::max(channels / LANES, int64_t(1)); }
    int64_t stride() const { return std::max(channels, LANES); }  // from one row of a block to its next
    int64_t rows() const { return pixels * channels / LANES / blocks(); }
    int64_t chunks() const { return (rows() + ROWS - 1) / ROWS; }
    int64_t rows_of(int64_t chunk) const { return std::min(ROWS, rows() - chunk * ROWS); }
    int64_t channel(int64_t block, int64_t lane) const { return block * LANES + lane % std::min(channels, LANES); }
};

using Lanes = float[LANES];

// Shares the chunks among the threads, always in the same way, so that a chunk meets the same core's cache again.
// body(part: number of the chunk, block: of channels, at: index of its first value, rows: in it)
template <typename Body>
void for_each_chunk(const Shape &shape, Body body) {
    const int64_t chunks = shape.chunks(), parts = chunks * shape.blocks();
#pragma omp for schedule(static)
    for (int64_t part = 0; part < parts; part++) {
        const int64_t block = part / chunks, chunk = part % chunks;
        body(part, block, chunk * ROWS * shape.stride() + block * LANES, shape.rows_of(chunk));
    }
}

// Every place that holds a sum over values of channel `c`: f(part, lane, pixels in that sum).
template <typename F>
void for_each_sum(const Shape &shape, int64_t c, F f) {
    for (int64_t chunk = 0; chunk < shape.chunks(); chunk++)
        for (int64_t lane = c % LANES; lane < LANES; lane += shape.channels)
            f(c / LANES * shape.chunks() + chunk, lane, double(shape.rows_of(chunk)));
}

// Calls f with std::true_type or std::false_type: a branch outside of the loops instead of inside.
template <typename F>
void choose(bool flag, F f) {
    if (flag) f(std::true_type()); else f(std::false_type());
}

template <typename T>
void forward(Shape shape, const T *x, const T *residual, T *y, const float *weight, const float *bias, float *mean,
             float *inverse_std, float *running_mean, float *running_var, float momentum, float eps, bool training,
             bool relu, int threads) {
    const int64_t stride = shape.stride(), parts = training ? shape.chunks() * shape.blocks() : 0;
    std::vector<float> sums(parts * LANES), squares(parts * LANES);  // squares: of distances to the chunk's own mean
    std::vector<float> scales(shape.blocks() * LANES), shifts(shape.blocks() * LANES);
#pragma omp parallel num_threads(threads)
    {
        if (training) for_each_chunk(shape, [&](int64_t part, int64_t, int64_t at, int64_t rows) {
            Lanes sum = {}, square = {}, centre;
            for (int64_t r = 0; r < rows; r++)
                for (int64_t l = 0; l < LANES; l++) sum[l] += load(x[at + r * stride + l]);
            for (int64_t l = 0; l < LANES; l++) centre[l] = sum[l] / rows;
            for (int64_t r = 0; r < rows; r++)
                for (int64_t l = 0; l < LANES; l++) {
                    const float distance = load(x[at + r * stride + l]) - centre[l];
                    square[l] += distance * distance;
                }
            std::copy_n(sum, LANES, &sums[part * LANES]);
            std::copy_n(square, LANES, &squares[part * LANES]);
        });
#pragma omp single
        {
            for (int64_t c = 0; c < shape.channels; c++) {
                if (!training) {
                    mean[c] = running_mean[c];
                    inverse_std[c] = 1 / std::sqrt(running_var[c] + eps);
                    continue;
                }
                double total = 0, spread = 0;
                for_each_sum(shape, c, [&](int64_t part, int64_t lane, double) { total += sums[part * LANES + lane]; });
                const double m = total / shape.pixels;
                for_each_sum(shape, c, [&](int64_t part, int64_t lane, double count) {  // Chan et al. 1983
                    const double distance = sums[part * LANES + lane] / count - m;
                    spread += squares[part * LANES + lane] + count * distance * distance;
                });
                mean[c] = m;
                inverse_std[c] = 1 / std::sqrt(spread / shape.pixels + eps);
                running_mean[c] += momentum * (m - running_mean[c]);
                running_var[c] += momentum * (spread / (shape.pixels - 1) - running_var[c]);
            }
            for (int64_t i = 0; i < shape.blocks() * LANES; i++) {
                const int64_t c = shape.channel(i / LANES, i % LANES);
                scales[i] = weight[c] * inverse_std[c];
                shifts[i] = bias[c] - mean[c] * scales[i];
            }
        }
        choose(residual, [&](auto adds) { choose(relu, [&](auto rectifies) {
            for_each_chunk(shape, [&](int64_t, int64_t block, int64_t at, int64_t rows) {
                const float *scale = &scales[block * LANES], *shift = &shifts[block * LANES];
                for (int64_t r = 0; r < rows; r++) {
                    const int64_t i = at + r * stride;
#pragma omp simd
                    for (int64_t l = 0; l < LANES; l++) {
                        float z = load(x[i + l]) * scale[l] + shift[l];
                        if constexpr (decltype(adds)::value) z += load(residual[i + l]);
                        if constexpr (decltype(rectifies)::value) z = z < 0 ? 0 : z;  // NaN stays NaN
                        store(y[i + l], z);
                    }
                }
            });
        }); });
    }
}

// grad2: a second gradient of y to be added, or null. y: null where there was no ReLU. dz: where the gradient before the
// ReLU goes, which is the shortcut's, or null where there was no addition.
template <typename T>
void backward(Shape shape, const T *grad, const T *grad2, const T *x, const T *y, T *dz, T *dx, const float *weight,
              const float *mean, const float *inverse_std, float *dweight, float *dbias, int threads) {
    const int64_t stride = shape.stride(), parts = shape.chunks() * shape.blocks();
    std::vector<float> sums(parts * LANES), products(parts * LANES);
    std::vector<float> of_dz(shape.blocks() * LANES), of_x(shape.blocks() * LANES), constant(shape.blocks() * LANES);
#pragma omp parallel num_threads(threads)
    choose(grad2, [&](auto two) { choose(y, [&](auto rectified) { choose(dz, [&](auto keeps) {
        const auto gradient = [&](int64_t i) {
            float d = load(grad[i]);
            if constexpr (decltype(two)::value) d += load(grad2[i]);
            if constexpr (decltype(rectified)::value) d = load(y[i]) <= 0 ? 0 : d;
            return d;
        };
        for_each_chunk(shape, [&](int64_t part, int64_t block, int64_t at, int64_t rows) {
            Lanes sum = {}, product = {}, centre;
            for (int64_t l = 0; l < LANES; l++) centre[l] = mean[shape.channel(block, l)];
            for (int64_t r = 0; r < rows; r++) {
                const int64_t i = at + r * stride;
#pragma omp simd
                for (int64_t l = 0; l < LANES; l++) {
                    const float d = gradient(i + l);
                    if constexpr (decltype(keeps)::value) store(dz[i + l], d);
                    sum[l] += d;
                    product[l] += d * (load(x[i + l]) - centre[l]);
                }
            }
            std::copy_n(sum, LANES, &sums[part * LANES]);
            std::copy_n(product, LANES, &products[part * LANES]);
        });
#pragma omp single
        {
            for (int64_t c = 0; c < shape.channels; c++) {
                double sum = 0, product = 0;
                for_each_sum(shape, c, [&](int64_t part, int64_t lane, double) {
                    sum += sums[part * LANES + lane];
                    product += products[part * LANES + lane];
                });
                dbias[c] = sum;
                dweight[c] = product * inverse_std[c];
            }
            for (int64_t i = 0; i < shape.blocks() * LANES; i++) {
                const int64_t c = shape.channel(i / LANES, i % LANES);
                of_dz[i] = weight[c] * inverse_std[c];
                of_x[i] = -of_dz[i] * inverse_std[c] * dweight[c] / shape.pixels;
                constant[i] = -of_dz[i] * dbias[c] / shape.pixels - of_x[i] * mean[c];
            }
        }
        for_each_chunk(shape, [&](int64_t, int64_t block, int64_t at, int64_t rows) {
            const float *a = &of_dz[block * LANES], *b = &of_x[block * LANES], *c = &constant[block * LANES];
            for (int64_t r = 0; r < rows; r++) {
                const int64_t i = at + r * stride;
#pragma omp simd
                for (int64_t l = 0; l < LANES; l++) {
                    float d;
                    if constexpr (decltype(keeps)::value) d = load(dz[i + l]); else d = gradient(i + l);
                    store(dx[i + l], a[l] * d + b[l] * load(x[i + l]) + c[l]);
                }
            }
        });
    }); }); });
}

}  // namespace

#define INSTANTIATE(NAME, T)                                                                                           \
    extern "C" void NAME##_forward(int64_t pixels, int64_t channels, const T *x, const T *residual, T *y,              \
                                   const float *weight, const float *bias, float *mean, float *inverse_std,            \
                                   float *running_mean, float *running_var, float momentum, float eps, int training,   \
                                   int relu, int threads) {                                                            \
        forward<T>({pixels, channels}, x, residual, y, weight, bias, mean, inverse_std, running_mean, running_var,     \
                   momentum, eps, training, relu, threads);                                                            \
    }                                                                                                                  \
    extern "C" void NAME##_backward(int64_t pixels, int64_t channels, const T *grad, const T *grad2, const T *x,       \
                                    const T *y, T *dz, T *dx, const float *weight, const float *mean,                  \
                                    const float *inverse_std, float *dweight, float *dbias, int threads) {             \
        backward<T>({pixels, channels}, grad, grad2, x, y, dz, dx, weight, mean, inverse_std, dweight, dbias,          \
                    threads);                                                                                          \
    }
INSTANTIATE(bfloat16, bfloat16)
INSTANTIATE(float32, float)
