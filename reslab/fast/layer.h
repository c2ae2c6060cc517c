// A convolution's sizes, its memory, and what follows its sums.

#pragma once
#include <cstdlib>

#include "units.h"

namespace {

// `step` is from one pixel of x to the next.
struct Shape {
    int64_t channels, step, height, width, kernels, out_height, out_width, side, stride, padding;
};

// What follows a sum: the kernel's scale, its bias, the residual, and ReLU. The sizes are the residual's, of which the
// pixel (h * stride, w * stride), channel k - offset, is added; beyond its channels nothing: option A's zero padding.
struct After {
    const float *bias, *scale;
    int64_t channels, height, width, stride, offset;
    bool relu;
};

struct Memory {
    const float *x, *residual;
    float *y;
};

// What of a residual is added to a vector of kernels.
enum Added { NOTHING, SOME, ALL };

// What follows the sums of a vector of kernels, from k on. `from` is which of the residual's channels is the first's.
struct Ending {
    Ending(const Shape &s, const After &after, const float *residual, int64_t k)
        : bias(load(after.bias + k)), scale(load(after.scale + k)),
          least(Lanes{} + (after.relu ? 0.f : -__builtin_inff())), from(k - after.offset), channels(after.channels) {
        // What comes after as many channels as there are kernels is added to what comes after the kernels.
        const bool whole = from >= 0 && from + LANES <= (channels == s.kernels ? room(channels) : channels);
        const bool none = !residual || from + LANES <= 0 || from >= channels;
        added = none ? NOTHING : whole ? ALL : SOME;
    }

    // What a 1 among the sums stands for, where one among x stands for `one`.
    Lanes unit(float one) const { return scale * one; }

    // Of a sum, and a pixel of the residual, its channels from `from` on.
    template <Added ADDED>
    Lanes after(Lanes z, Lanes unit, const float *residual) const {
        z = z * unit + bias;
        if (ADDED == ALL) z += load(residual);
        if (ADDED == SOME) z += some(residual);
        return larger(least, z);  // NaN stays NaN
    }

    Lanes some(const float *residual) const {
        Lanes found = {};
        for (int lane = 0; lane < LANES; lane++)
            if (from + lane >= 0 && from + lane < channels) found[lane] = residual[lane];
        return found;
    }

    const Lanes bias, scale, least;
    const int64_t from, channels;
    Added added;
};

// The pixel of the residual that is added to (h, w), if there is one.
inline const float *residual_at(const After &after, const Memory &g, int64_t h, int64_t w) {
    return g.residual ? g.residual + (h * after.width + w) * after.stride * room(after.channels) : nullptr;
}

// The memory of one image.
inline Memory of_image(const Shape &s, const After &after, const Memory &g, int64_t image) {
    return {g.x + image * s.height * s.width * s.step,
            g.residual ? g.residual + image * after.height * after.width * room(after.channels) : nullptr,
            g.y + image * s.out_height * s.out_width * room(s.kernels)};
}

// Memory for `floats`.
struct Room {
    explicit Room(int64_t floats) : at(static_cast<float *>(std::aligned_alloc(64, (floats * 4 + 63) / 64 * 64))) {
        if (!at) std::abort();
    }
    ~Room() { std::free(at); }
    Room(const Room &) = delete;
    float *const at;
};

// `count` numbers further on.
template <typename Kind>
inline float *further(float *at, int64_t count) {
    return reinterpret_cast<float *>(reinterpret_cast<char *>(at) + count * (4 / Kind::NUMBERS));
}

// An image as units, with zeros around it: `height` rows, each of `row` units, of which s.padding come before the image.
// A pixel has `numbers`: its channels, and zeros or what x has there. After the last row there is a unit of zeros.
template <typename Kind>
void pad(const Shape &s, const float *x, float scale, int64_t height, int64_t row, int64_t numbers, float *v) {
    const int64_t before = s.padding * numbers, beyond = (before + s.width * numbers) / Kind::NUMBERS;
    std::fill_n(v, s.padding * row, 0.f);
    for (int64_t h = 0; h < s.height; h++, x += s.width * s.step) {
        float *to = v + (s.padding + h) * row;
        if (s.step == numbers) {
            std::fill_n(to, Kind::units(before), 0.f);
            std::fill_n(to + beyond, row - beyond, 0.f);
            Kind::pack(x, s.width * numbers, scale, further<Kind>(to, before));
        } else {
            std::fill_n(to, row, 0.f);
            for (int64_t w = 0; w < s.width; w++)
                Kind::pack(x + w * s.step, s.channels, scale, further<Kind>(to, before + w * numbers));
        }
    }
    std::fill_n(v + (s.padding + s.height) * row, (height - s.padding - s.height) * row + 1, 0.f);
}

}  // namespace
