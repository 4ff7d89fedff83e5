#include "cache.hpp"

namespace cadenza {
namespace {

int padded_size(int size) {
    int padded = kLanes;
    while (padded < size) padded *= 2;
    return padded;
}

int element_bytes(Format format) {
    if (format == Format::f32) return 4;
    return format == Format::bf16 ? 2 : 1;
}

}  // namespace

Cache::Cache(Format format, int rows, int layers, int heads, int size, int positions)
    : layers_(layers),
      heads_(heads),
      size_(size),
      padded_(padded_size(size)),
      positions_((positions + kPositionBlock - 1) / kPositionBlock * kPositionBlock),
      store_bytes_(int64_t(padded_) * positions_ * element_bytes(format)),
      head_bytes_(2 * store_bytes_ + (quantized(format) ? 2 * int64_t(positions_) * 4 : 0)),
      pages_(Pages::zeroed(size_t(row_bytes()) * size_t(rows))) {}

Head Cache::head(int row, int layer, int head) const {
    uint8_t *at = pages_.data() + ((int64_t(row) * layers_ + layer) * heads_ + head) * head_bytes_;
    auto *scales = reinterpret_cast<float *>(at + 2 * store_bytes_);
    return {at, at + store_bytes_, scales, scales + positions_, size_, padded_};
}

}  // namespace cadenza
