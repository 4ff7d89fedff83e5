#include "memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cadenza {
namespace {

// A step reads hundreds of megabytes: with pages of 4 KiB it would wait for the page tables as well.
void prefer_huge(void *data, size_t size) {
#ifdef MADV_HUGEPAGE
    madvise(data, size, MADV_HUGEPAGE);
#else
    (void)data, (void)size;
#endif
}

}  // namespace

Pages::~Pages() {
    if (data_) munmap(data_, size_);
}

Pages Pages::map_file(const char *path) {
    Pages pages;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return pages;
    struct stat status;
    if (fstat(file, &status) == 0 && status.st_size > 0) {
        void *data = mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_SHARED, file, 0);
        if (data != MAP_FAILED) {
            pages.data_ = data;
            pages.size_ = size_t(status.st_size);
            prefer_huge(data, pages.size_);
            madvise(data, pages.size_, MADV_WILLNEED);
        }
    }
    close(file);
    return pages;
}

Pages Pages::zeroed(size_t bytes) {
    Pages pages;
    void *data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data != MAP_FAILED) {
        pages.data_ = data;
        pages.size_ = bytes;
        prefer_huge(data, bytes);
    }
    return pages;
}

}  // namespace cadenza
