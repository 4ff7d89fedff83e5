#include "packed.hpp"

#include <cstring>

#include "cadenza_decoder.h"

namespace cadenza {
namespace {

bool plausible(const Header &h) {
    const auto within = [](uint32_t value, uint32_t most) { return value >= 1 && value <= most; };
    return h.version == kVersion && uint32_t(h.format) < uint32_t(kFormats) && within(h.hidden, 1 << 15) &&
           within(h.heads, 1 << 10) && within(h.layers, 1 << 10) && within(h.ffn, 1 << 17) &&
           within(h.codebooks, 64) && within(h.vocabulary, 1 << 20) && h.cross <= 1 && within(h.group, 128) &&
           h.group % 16 == 0 && h.hidden % h.group == 0 && h.ffn % h.group == 0 && h.hidden % h.heads == 0 &&
           h.hidden / h.heads <= uint32_t(kMaxHead);
}

// Walks the sections in order, keeping within the file.
class Reader {
public:
    Reader(const Header &header, const Pages &file) : header_(header), file_(file) {}

    Norm norm() {
        const auto *scale = reinterpret_cast<const float *>(section(int64_t(header_.hidden) * 4));
        return {scale, reinterpret_cast<const float *>(section(int64_t(header_.hidden) * 4))};
    }

    Matrix matrix(int64_t outputs, int width) {
        Matrix m;
        m.width = width;
        m.outputs = int((outputs + kLanes - 1) / kLanes * kLanes);
        m.group = int(header_.group);
        m.tile_bytes = tile_bytes(width);
        const int64_t bytes = m.outputs / kLanes * m.tile_bytes;
        m.tiles = section(bytes);
        matrices_ += bytes;
        return m;
    }

    int64_t matrices() const { return matrices_; }
    bool ended_well() const { return inside_ && end_ == int64_t(file_.size()); }

private:
    int64_t tile_bytes(int64_t width) const {
        const int64_t scales = (width / header_.group * 32 + 63) / 64 * 64;
        switch (header_.format) {
            case Format::f32: return width * 64;
            case Format::bf16: return width * 32;
            case Format::q8: return scales + width * 16;
            default: return scales + width * 8;
        }
    }

    const uint8_t *section(int64_t bytes) {
        const int64_t at = end_;
        end_ += (bytes + 63) / 64 * 64;
        inside_ = inside_ && end_ <= int64_t(file_.size());
        return inside_ ? file_.data() + at : nullptr;
    }

    const Header &header_;
    const Pages &file_;
    int64_t end_ = int64_t(sizeof(Header));
    int64_t matrices_ = 0;
    bool inside_ = true;
};

Layer read_layer(Reader &reader, const Header &h) {
    Layer layer{};
    const int hidden = int(h.hidden);
    layer.self_norm = reader.norm();
    layer.qkv = reader.matrix(3 * int64_t(hidden), hidden);
    layer.out = reader.matrix(hidden, hidden);
    if (h.cross) {
        layer.cross_norm = reader.norm();
        layer.cross_query = reader.matrix(hidden, hidden);
        layer.cross_out = reader.matrix(hidden, hidden);
    }
    layer.ffn_norm = reader.norm();
    layer.up = reader.matrix(h.ffn, hidden);
    layer.down = reader.matrix(hidden, int(h.ffn));
    return layer;
}

}  // namespace

int Packed::open(const char *path) {
    file = Pages::read_file(path);
    if (!file.data()) return CADENZA_NO_FILE;
    if (file.size() < sizeof header) return CADENZA_BAD_FILE;
    memcpy(&header, file.data(), sizeof header);
    if (memcmp(header.magic, "CADENZA", 8) != 0 || header.bytes != file.size() || !plausible(header))
        return CADENZA_BAD_FILE;
    Reader reader(header, file);
    for (uint32_t i = 0; i < header.layers; i++) layers.push_back(read_layer(reader, header));
    norm = reader.norm();
    heads = reader.matrix(outputs(), int(header.hidden));
    step_bytes = reader.matrices();
    if (header.cross)
        for (Layer &layer : layers)
            layer.cross_key_value = reader.matrix(2 * int64_t(header.hidden), int(header.hidden));
    return reader.ended_well() ? CADENZA_OK : CADENZA_BAD_FILE;
}

}  // namespace cadenza
