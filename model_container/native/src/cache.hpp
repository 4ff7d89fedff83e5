// Keys and values of the rows of all slots, for a fixed number of positions.

#pragma once

#include "kernels.hpp"
#include "memory.hpp"

namespace cadenza {

class Cache {
public:
    Cache() = default;
    // A row's keys and values lie together: [row][layer][head]. Memory is taken when first written.
    Cache(Format format, int rows, int layers, int heads, int size, int positions);

    bool valid() const { return pages_.data() != nullptr; }
    int64_t row_bytes() const { return head_bytes_ * heads_ * layers_; }
    int positions() const { return positions_; }

    Head head(int row, int layer, int head) const;

private:
    int layers_ = 0, heads_ = 0, size_ = 0, padded_ = 0, positions_ = 0;
    int64_t store_bytes_ = 0;  // of the keys of a head, and of its values
    int64_t head_bytes_ = 0;
    Pages pages_;
};

}  // namespace cadenza
