// A convolution's weights in the order in which its sums read them.

#pragma once
#include "layer.h"

namespace {

// Of an image's integers the largest, a number of 13 bits: the weights get the rest of 31.
constexpr float MOST_DIRECT = 8191;

// Integers: what a 1 stands for, of each of LANES kernels, such that what is added up fits 32 bits: in Winograd's
// transform over the channels, and then over two places; otherwise over all. `sums` are of the numbers' sizes, at each
// place, `largest` of all sizes. NaN, and so is all that is made of it, where one of them is not finite.
inline Lanes one_of_weights(const Lanes *sums, int64_t places, Lanes largest, int64_t numbers, bool by_winograd) {
    Lanes total = {}, most = {};
    for (int64_t place = 0; place < places; place++) {
        total += sums[place];
        most = larger(most, sums[place]);
    }
    // Rounding adds up to a half to each. An image's integers are below 2^15 and 2^13.
    const float room = by_winograd ? (1 << 15) - 0.5f * numbers : (1 << 18) - 0.5f * places * numbers;
    const Lanes least = Lanes{} + 1e-30f;
    return larger(least, larger((by_winograd ? most : total) / (0.999f * room), largest / 32767.f)) + total * 0.f;
}

// weight [kernels][channels][side][side], times each kernel's `factor`: u [vectors of kernels][places][units][LANES],
// over the channels at each of Winograd's 36 places, or over the pixels and channels of each row. Kernels and numbers
// that lack are zeros. `winograd` is G, or null. `one` is of each kernel what a weight's 1 stands for.
template <typename Kind>
void put_in_order(int64_t kernels, int64_t channels, int64_t side, const float *weight, const float *factor,
                  const float (*winograd)[3], float *u, float *one) {
    constexpr int64_t NUMBERS = Kind::NUMBERS, CHANNELS = Kind::Pixels::CHANNELS;
    const int64_t places = winograd ? 36 : side, numbers = winograd ? channels : side * channels;
    const int64_t units = Kind::units(winograd ? (channels + CHANNELS - 1) / CHANNELS * CHANNELS : numbers);
    const Room room_of_rows(places * units * NUMBERS * LANES), room_of_sums(places * LANES);
    Lanes *const rows = reinterpret_cast<Lanes *>(room_of_rows.at), *sums = reinterpret_cast<Lanes *>(room_of_sums.at);
    std::fill_n(rows, places * units * NUMBERS, Lanes{});
    for (int64_t k = 0; k < kernels; k += LANES, weight += LANES * channels * side * side) {
        const int64_t lanes = std::min<int64_t>(LANES, kernels - k);
        Lanes factors = {}, largest = {};
        for (int64_t lane = 0; lane < lanes; lane++) factors[lane] = factor[k + lane];
        const auto weights = [&](int64_t c, int64_t i, int64_t j) {
            alignas(Lanes) float found[LANES] = {};
            for (int64_t lane = 0; lane < lanes; lane++)
                found[lane] = weight[(((lane * channels) + c) * side + i) * side + j];
            return load(found) * factors;
        };
        std::fill_n(sums, places, Lanes{});
        const auto put = [&](Lanes z, int64_t place, int64_t number) {
            rows[place * units * NUMBERS + number] = z;
            const Lanes size = larger(z, -z);
            sums[place] += size;
            largest = larger(largest, size);
        };
        for (int64_t c = 0; c < channels; c++) {
            if (!winograd) {
                for (int64_t i = 0; i < side; i++)
                    for (int64_t j = 0; j < side; j++) put(weights(c, i, j), i, j * channels + c);
                continue;
            }
            Lanes columns[6][3];
            for (int j = 0; j < 3; j++) {
                const Lanes g[3] = {weights(c, 0, j), weights(c, 1, j), weights(c, 2, j)};
                for (int i = 0; i < 6; i++)
                    columns[i][j] = g[0] * winograd[i][0] + g[1] * winograd[i][1] + g[2] * winograd[i][2];
            }
            for (int i = 0; i < 6; i++)
                for (int j = 0; j < 6; j++) {
                    const Lanes(&row)[3] = columns[i];
                    put(row[0] * winograd[j][0] + row[1] * winograd[j][1] + row[2] * winograd[j][2], i * 6 + j, c);
                }
        }
        Lanes ones = Lanes{} + 1.f;
        if (Kind::INTEGERS) ones = one_of_weights(sums, places, largest, numbers, winograd);
        const Lanes scale = 1.f / ones;
        for (int64_t unit = 0; unit < places * units; unit++, u += LANES)
            store(Kind::weights(rows + unit * NUMBERS, scale), u);
        store(ones, one + k);
    }
}

}  // namespace
