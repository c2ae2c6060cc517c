// Convolution, bias, the shortcut's addition and ReLU as one kernel, forward only; activations are float32.
//
// The lanes of a vector are channels: memory is images x height x width x channels, with numbers after the channels up
// to a whole vector: zeros, or any that are finite. What comes out for an image does not depend on the others.

#include "products.h"
#include "weights.h"
#include "winograd.h"

namespace {

// Images that go through a net together: their activations stay in the caches, and their tiles fill the blocks of SUMS
// where an image has no more than four.
constexpr int GROUP = SUMS / 4;

// How many units a row of the padded image has, and the part of it that a kernel is over, as one run of numbers. Of an
// odd number of channels, a unit may have two pixels' numbers.
template <typename Kind>
int64_t units_of_row(const Shape &s) {
    return Kind::units((s.width + 2 * s.padding) * s.channels);
}
template <typename Kind>
int64_t units_of_side(const Shape &s) {
    return Kind::units(s.side * s.channels);
}

// WIDE vectors of kernels from k on at every pixel: sums over the taps. `one` is what an integer's 1 stands for.
template <typename Kind, int WIDE, Added ADDED>
void at_pixels(const Shape &s, const After &after, const Memory &g, int64_t k, float one, const float *u, float *v) {
    constexpr int PLACES = SUMS / WIDE;
    const int64_t units = units_of_side<Kind>(s), row = units_of_row<Kind>(s), terms = s.side * units;
    const int64_t pixels = s.out_height * s.out_width, step = room(s.kernels);
    const Ending endings[2] = {{s, after, g.residual, k}, {s, after, g.residual, k + (WIDE - 1) * LANES}};
    int64_t h = 0, w = 0;
    for (int64_t first = 0; first < pixels; first += PLACES) {
        const int count = std::min<int64_t>(PLACES, pixels - first);
        const float *at[PLACES], *residual[PLACES];
        for (int p = 0; p < PLACES; p++) {
            at[p] = p < count ? further<Kind>(v + h * s.stride * row, w * s.stride * s.channels) : v;
            residual[p] = p < count ? residual_at(after, g, h, w) : nullptr;
            if (++w == s.out_width) w = 0, h++;
        }
        float m[SUMS * LANES];
        multiply<Kind, WIDE>(s.side, row, units, at, u + k * terms, terms * LANES, m);
        for (int part = 0; part < WIDE; part++) {
            const Lanes unit = endings[part].unit(one);
            for (int p = 0; p < count; p++) {
                const Lanes z = Kind::values((typename Kind::Sums)load(m + (p * WIDE + part) * LANES));
                const Lanes y = endings[part].template after<ADDED>(z, unit, residual[p] + endings[part].from);
                store(y, g.y + (first + p) * step + k + part * LANES);
            }
        }
    }
}

template <typename Kind, int WIDE>
void at_all(const Shape &s, const After &after, const Memory &g, int64_t k, float one, const float *u, float *v) {
    const Ending first(s, after, g.residual, k), last(s, after, g.residual, k + (WIDE - 1) * LANES);
    const Added added = first.added == last.added ? first.added : SOME;
    (added == ALL    ? at_pixels<Kind, WIDE, ALL>
     : added == SOME ? at_pixels<Kind, WIDE, SOME>
                     : at_pixels<Kind, WIDE, NOTHING>)(s, after, g, k, one, u, v);
}

template <typename Kind>
void direct(const Shape &s, const After &after, const Memory &g, const float *u, float *v) {
    const float one = Kind::one(g.x, s.height * s.width, s.step, s.channels, MOST_DIRECT);
    pad<Kind>(s, g.x, 1 / one, s.height + 2 * s.padding, units_of_row<Kind>(s), s.channels, v);
    int64_t k = 0;
    for (; k + LANES < s.kernels; k += 2 * LANES) at_all<Kind, 2>(s, after, g, k, one, u, v);
    if (k < s.kernels) at_all<Kind, 1>(s, after, g, k, one, u, v);
}

template <typename Kind>
void run(const Shape &s, const After &after, const Memory &g, int64_t images, const float *u, bool by_winograd) {
    if (by_winograd) return winograd<Kind>(s, after, g, images, u);
    const Room v((s.height + 2 * s.padding) * units_of_row<Kind>(s) + LANES);
    for (int64_t image = 0; image < images; image++) direct<Kind>(s, after, of_image(s, after, g, image), u, v.at);
}

}  // namespace

// How many channels a vector has.
extern "C" int64_t convolve_lanes() { return LANES; }

// Of how many channels Winograd's transform makes a multiple.
extern "C" int64_t convolve_channels(int64_t reduced) {
    return reduced ? Reduced::Pixels::CHANNELS : Float32::Pixels::CHANNELS;
}

// How many images go through a net together.
extern "C" int64_t convolve_group() { return GROUP; }

// What is multiplied where that need not be float32.
extern "C" int64_t convolve_reduced() { return Reduced::NUMBER; }

// A convolution's weights, for its calls: see put_in_order.
extern "C" void convolve_weights(int64_t reduced, int64_t kernels, int64_t channels, int64_t side, const float *weight,
                                 const float *factor, const float (*winograd)[3], float *u, float *one) {
    const auto put = reduced ? put_in_order<Reduced> : put_in_order<Float32>;
    put(kernels, channels, side, weight, factor, winograd, u, one);
}

// One convolution. x: [images][height][width][step], y and the residual, which may be null, with room(channels) in
// place of the step. u: [vectors of kernels][36, or side x side][units][LANES]; bias: [room(kernels)], and then as many
// scales: what a weight's 1 stands for.
struct Call {
    const int64_t *numbers;
    const float *x, *u, *bias, *residual;
    float *y;
};

// Several, one after the other, GROUP images at a time: x and residual of the first and y of the last are of all
// images, what is in between is of one group.
extern "C" void convolve(int64_t count, const Call *calls, int64_t images) {
    for (int64_t first = 0; first < images; first += GROUP)
        for (int64_t which = 0; which < count; which++) {
            const Call &call = calls[which];
            const int64_t *n = call.numbers, together = std::min<int64_t>(GROUP, images - first);
            const Shape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]};
            const After after{call.bias, call.bias + room(n[4]), n[10], n[11], n[12], n[13], n[14], bool(n[15])};
            Memory g{call.x, call.residual, call.y};
            const Memory later = of_image(s, after, g, first);
            if (which == 0) g.x = later.x, g.residual = later.residual;
            if (which == count - 1) g.y = later.y;
            (n[17] ? run<Reduced> : run<Float32>)(s, after, g, together, call.u, n[16]);
        }
}
