// A convolution's sizes, its memory, and what follows its sums.

#pragma once
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

// What follows the sums of a vector of kernels, from k on.
class Ending {
  public:
    Ending(const Shape &s, const After &after, const Memory &g, int64_t k)
        : bias(load(after.bias + k)), scale(load(after.scale + k)),
          least(Lanes{} + (after.relu ? 0.f : -__builtin_inff())), from(k - after.offset), channels(after.channels),
          // What comes after as many channels as there are kernels is added to what comes after the kernels.
          whole(from >= 0 && from + LANES <= (channels == s.kernels ? room(channels) : channels)),
          added(!g.residual ? NOTHING : whole ? ALL : SOME) {}

    // What a 1 among the sums stands for, where one among x stands for `one`.
    Lanes unit(float one) const { return scale * one; }

    // Of a sum, and the pixel of the residual.
    template <Added ADDED>
    Lanes after(Lanes z, Lanes unit, const float *residual) const {
        z = z * unit + bias;
        if (ADDED == ALL) z += load(residual + from);
        if (ADDED == SOME) z += some(residual);
        return larger(least, z);  // NaN stays NaN
    }

  private:
    const Lanes bias, scale, least;
    const int64_t from, channels;
    const bool whole;

    Lanes some(const float *residual) const {
        Lanes found = {};
        for (int lane = 0; lane < LANES; lane++)
            if (from + lane >= 0 && from + lane < channels) found[lane] = residual[from + lane];
        return found;
    }

  public:
    const Added added;
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

}  // namespace
