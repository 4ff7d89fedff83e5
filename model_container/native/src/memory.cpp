#include "memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

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

Pages Pages::read_file(const char *path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    struct stat status;
    Pages pages;
    if (fstat(file, &status) == 0 && status.st_size > 0) pages = zeroed(size_t(status.st_size));
    size_t done = 0;
    while (done < pages.size_) {
        const ssize_t count = read(file, pages.data() + done, pages.size_ - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        done += size_t(count);
    }
    close(file);
    if (done == 0 || done < pages.size_) return {};
    mprotect(pages.data_, pages.size_, PROT_READ);
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
