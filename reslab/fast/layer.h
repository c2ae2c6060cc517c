// A convolution's sizes, its memory, and what follows its sums.

#pragma once
#include "products.h"

namespace {

// `step` is from one pixel of x to the next.
struct Shape {
    int64_t channels, step, height, width, kernels, out_height, out_width, side, stride, padding;
};

// What follows a sum: the kernel's bias, the residual, and ReLU. The sizes are the residual's, of which the pixel
// (h * stride, w * stride), channel k - offset, is added; beyond its channels nothing: option A's zero padding.
struct After {
    const float *bias;
    int64_t channels, height, width, stride, offset;
    bool relu;
};

struct Memory {
    const float *x, *residual;
    float *y;
};

// What follows the sums of a vector of kernels, from k on.
class Ending {
  public:
    Ending(const Shape &s, const After &after, int64_t k)
        : bias(load(after.bias + k)), relu(after.relu), from(k - after.offset), channels(after.channels),
          // What comes after as many channels as there are kernels is added to what comes after the kernels.
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

}  // namespace
