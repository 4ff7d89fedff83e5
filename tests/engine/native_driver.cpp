// Plays songs on a packed decoder without Python, so that a sanitizer or an emulated CPU can watch.
//
// native_driver FILE KERNELS THREADS OUTPUT: writes every step's logits; inputs are the same on every machine.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "cadenza_decoder.h"

namespace {

using Floats = std::vector<float>;

Floats noise(size_t count, uint32_t seed) {
    Floats values(count);
    for (float &value : values) {
        seed = seed * 1664525u + 1013904223u;
        value = float(int32_t(seed >> 8) - (1 << 23)) / float(1 << 22);
    }
    return values;
}

void expect(int status, int expected) {
    if (status == expected) return;
    fprintf(stderr, "%s instead of %s\n", cadenza_explain(status), cadenza_explain(expected));
    exit(1);
}

struct Player {
    cadenza_decoder *decoder;
    cadenza_shape shape;
    FILE *output;

    void step(const std::vector<int64_t> &slots, const std::vector<int64_t> &positions) {
        const auto songs = int32_t(slots.size());
        Floats hidden, guidance(slots.size(), 3.0f);
        Floats logits(slots.size() * size_t(shape.codebooks) * size_t(shape.vocabulary));
        for (size_t i = 0; i < slots.size(); i++) {
            const Floats one = noise(size_t(shape.hidden), uint32_t(1000 * slots[i] + positions[i]));
            hidden.insert(hidden.end(), one.begin(), one.end());
        }
        expect(cadenza_step(decoder, songs, slots.data(), hidden.data(), positions.data(), guidance.data(), logits.data()),
               CADENZA_OK);
        fwrite(logits.data(), sizeof(float), logits.size(), output);
    }

    void admit(int slot, int tokens) {
        const Floats text = noise(size_t(tokens) * size_t(shape.hidden), uint32_t(tokens));
        expect(cadenza_admit(decoder, slot, text.data(), tokens), CADENZA_OK);
    }

    void prefill(int slot, int count) {
        const Floats hidden = noise(2 * size_t(count) * size_t(shape.hidden), uint32_t(count));
        expect(cadenza_prefill(decoder, slot, hidden.data(), count, 0), CADENZA_OK);
    }
};

void play(Player &player) {
    player.admit(0, 5);
    player.admit(2, 40);
    player.prefill(2, 37);
    for (int i = 0; i < 4; i++) player.step({0, 2}, {i, 37 + i});
    player.admit(1, 0);
    for (int i = 0; i < 20; i++) player.step({2, 0, 1}, {41 + i, 4 + i, i});
    expect(cadenza_release(player.decoder, 0), CADENZA_OK);
    player.step({1}, {20});
}

void misuse(Player &player) {
    const int64_t slot = 0, far = 5;
    Floats hidden = noise(size_t(player.shape.hidden), 1), guidance(1), logits(1 << 16);
    const auto step = [&](const int64_t *slots, const int64_t *positions) {
        return cadenza_step(player.decoder, 1, slots, hidden.data(), positions, guidance.data(), logits.data());
    };
    expect(step(&slot, &slot), CADENZA_EMPTY_SLOT);
    player.admit(0, 1);
    expect(step(&slot, &far), CADENZA_GAP);
    expect(step(nullptr, &slot), CADENZA_BAD_ARGUMENT);
    expect(step(&far, &slot), CADENZA_BAD_ARGUMENT);
    hidden[3] = NAN;
    expect(step(&slot, &slot), CADENZA_NOT_FINITE);
    expect(cadenza_step(nullptr, 1, &slot, hidden.data(), &slot, guidance.data(), logits.data()), CADENZA_BAD_ARGUMENT);
}

// Two threads, one handle: their calls must not overlap, and each slot must go its own way.
void share(Player &player) {
    const auto run = [&](int64_t slot) {
        const Floats hidden = noise(size_t(player.shape.hidden), 9), guidance(1);
        Floats logits(size_t(player.shape.codebooks) * size_t(player.shape.vocabulary));
        player.admit(int(slot), 3);
        for (int64_t i = 0; i < 10; i++)
            expect(cadenza_step(player.decoder, 1, &slot, hidden.data(), &i, guidance.data(), logits.data()), CADENZA_OK);
    };
    std::thread other(run, 1);
    run(2);
    other.join();
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 5) return 2;
    Player player{};
    expect(cadenza_open(arguments[1], 3, 64, atoi(arguments[3]), arguments[2], &player.decoder), CADENZA_OK);
    expect(cadenza_describe(player.decoder, &player.shape), CADENZA_OK);
    player.output = fopen(arguments[4], "wb");
    if (!player.output) return 2;
    play(player);
    misuse(player);
    share(player);
    fclose(player.output);
    cadenza_close(player.decoder);
    return 0;
}
