// Pages: a read-only file and zeroed anonymous memory, on huge pages where the kernel gives them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace cadenza {

class Pages {
public:
    Pages() = default;
    Pages(Pages &&other) noexcept { swap(other); }
    Pages &operator=(Pages &&other) noexcept {
        swap(other);
        return *this;
    }
    ~Pages();

    // Both are empty (data() null) on failure.
    static Pages map_file(const char *path);
    static Pages zeroed(size_t bytes);

    uint8_t *data() const { return static_cast<uint8_t *>(data_); }
    size_t size() const { return size_; }

private:
    void swap(Pages &other) {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    void *data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace cadenza
