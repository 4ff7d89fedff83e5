// The C interface over a Decoder and a lock. No exception leaves this file.

#include <memory>
#include <mutex>
#include <new>

#include "cadenza_decoder.h"
#include "decoder.hpp"

struct cadenza_decoder {
    cadenza_decoder(cadenza::Packed packed, const cadenza::Kernels &kernels, int slots, int positions, int threads)
        : decoder(std::move(packed), kernels, slots, positions, threads) {}

    std::mutex lock;
    cadenza::Decoder decoder;
};

namespace {

constexpr int kMaxSlots = 1024;
constexpr int kMaxPositions = 1 << 20;

template <typename Call>
int locked(cadenza_decoder *decoder, Call call) noexcept try {
    if (!decoder) return CADENZA_BAD_ARGUMENT;
    std::lock_guard<std::mutex> guard(decoder->lock);
    return call(decoder->decoder);
} catch (...) {  // of what is called, only allocation can fail
    return CADENZA_NO_MEMORY;
}

int open_decoder(const char *path, int slots, int positions, int threads, const char *kernels,
                 cadenza_decoder **decoder) {
    const cadenza::Kernels *found = cadenza::find_kernels(kernels);
    if (!found) return CADENZA_UNSUPPORTED;
    cadenza::Packed packed;
    if (const int status = packed.open(path)) return status;
    auto opened = std::make_unique<cadenza_decoder>(std::move(packed), *found, slots, positions, threads);
    if (!opened->decoder.valid()) return CADENZA_NO_MEMORY;
    *decoder = opened.release();
    return CADENZA_OK;
}

}  // namespace

int cadenza_open(const char *path, int32_t slots, int32_t positions, int32_t threads, const char *kernels,
                 cadenza_decoder **decoder) try {
    if (!path || !kernels || !decoder || slots < 1 || slots > kMaxSlots || positions < 1 ||
        positions > kMaxPositions || threads < 1)
        return CADENZA_BAD_ARGUMENT;
    *decoder = nullptr;
    return open_decoder(path, slots, positions, threads, kernels, decoder);
} catch (...) {  // memory or threads cannot be had
    return CADENZA_NO_MEMORY;
}

void cadenza_close(cadenza_decoder *decoder) { delete decoder; }

int cadenza_describe(const cadenza_decoder *decoder, cadenza_shape *shape) {
    if (!decoder || !shape) return CADENZA_BAD_ARGUMENT;
    const cadenza::Packed &packed = decoder->decoder.packed();
    const cadenza::Header &h = packed.header;
    *shape = {int32_t(h.hidden), int32_t(h.heads),      int32_t(h.layers), int32_t(h.ffn),
              int32_t(h.codebooks), int32_t(h.vocabulary), int32_t(h.cross),  int32_t(h.format),
              int32_t(h.group),  decoder->decoder.threads(), packed.step_bytes, decoder->decoder.slot_bytes()};
    return CADENZA_OK;
}

int cadenza_admit(cadenza_decoder *decoder, int32_t slot, const float *text, int32_t tokens) {
    return locked(decoder, [&](cadenza::Decoder &d) { return d.admit(slot, text, tokens); });
}

int cadenza_prefill(cadenza_decoder *decoder, int32_t slot, const float *hidden, int32_t count, int64_t position) {
    return locked(decoder, [&](cadenza::Decoder &d) { return d.prefill(slot, hidden, count, position); });
}

int cadenza_step(cadenza_decoder *decoder, int32_t songs, const int64_t *slots, const float *hidden,
                 const int64_t *positions, const float *guidance, float *logits) {
    return locked(decoder,
                  [&](cadenza::Decoder &d) { return d.step(songs, slots, hidden, positions, guidance, logits); });
}

int cadenza_release(cadenza_decoder *decoder, int32_t slot) {
    return locked(decoder, [&](cadenza::Decoder &d) { return d.release(slot); });
}

const char *cadenza_explain(int status) {
    switch (status) {
        case CADENZA_OK: return "no error";
        case CADENZA_NO_FILE: return "the packed decoder cannot be opened";
        case CADENZA_BAD_FILE: return "the file is not a packed decoder of this version, or is damaged";
        case CADENZA_UNSUPPORTED: return "this build or this CPU has no such kernels";
        case CADENZA_NO_MEMORY: return "memory or threads cannot be had";
        case CADENZA_BAD_ARGUMENT: return "an argument is out of range";
        case CADENZA_EMPTY_SLOT: return "the slot holds no song";
        case CADENZA_GAP: return "positions before the given one were never computed";
        case CADENZA_NOT_FINITE: return "a value is NaN or infinite";
        default: return "unknown status";
    }
}

const char *cadenza_kernels(void) { return cadenza::kernel_names(); }
