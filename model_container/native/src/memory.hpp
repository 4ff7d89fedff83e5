// Anonymous memory, on huge pages where the kernel gives them: zeroed, or holding a file's content.
//
// A file is read, not mapped: the kernel maps files in pages of 4 KiB, and waiting for their table entries makes a step
// an eighth slower. The process holds one copy either way, made in a fraction of a second and never reclaimed while it
// idles; what the kernel keeps in its file cache is free for others to take.

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
    static Pages read_file(const char *path);
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
