// Calls: arguments are checked before anything is changed, then rows are laid out and the phases run.

#include "decoder.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "cadenza_decoder.h"

namespace cadenza {
namespace {

constexpr int kPrefillRows = 64;  // rows of a pass of a prefill: enough to use weights well while they are in the cache
constexpr int kMaxText = 4096;

bool all_finite(const float *x, int64_t count) {
    bool finite = true;
    for (int64_t i = 0; i < count; i++) finite &= std::isfinite(x[i]);
    return finite;
}

}  // namespace

Inputs::Inputs(int rows, int width, int group, bool quantized)
    : values_(size_t(rows) * width),
      scales_(quantized ? size_t(rows) * (width / group) : 0),
      codes_(quantized ? size_t(rows) * width : 0),
      sums_(scales_.size()),
      rows_{values_.data(), codes_.data(), scales_.data(), sums_.data(), width, group} {}

Decoder::Decoder(Packed packed, const Kernels &kernels, int slots, int positions, int threads)
    : packed_(std::move(packed)),
      kernels_(kernels),
      format_(packed_.header.format),
      hidden_(int(packed_.header.hidden)),
      heads_(int(packed_.header.heads)),
      size_(hidden_ / heads_),
      ffn_(int(packed_.header.ffn)),
      heads_per_task_(std::lcm(size_, int(packed_.header.group)) / size_),
      max_rows_(std::max(2 * slots, kPrefillRows)),
      cache_(format_, 2 * slots, int(packed_.header.layers), heads_, size_, positions),
      songs_(size_t(slots)),
      residual_(size_t(max_rows_) * hidden_),
      qkv_(size_t(max_rows_) * hidden_ * 3),
      all_logits_(size_t(2 * slots) * packed_.heads.outputs),
      scores_(size_t(threads) * size_t(std::max(cache_.positions(), kMaxText))),
      normed_(max_rows_, hidden_, int(packed_.header.group), quantized(format_)),
      context_(max_rows_, hidden_, int(packed_.header.group), quantized(format_)),
      gated_(max_rows_, ffn_, int(packed_.header.group), quantized(format_)),
      team_(threads) {
    sequences_.reserve(size_t(max_rows_));
}

int Decoder::check(int64_t slot, int64_t position, int64_t count) const {
    if (slot < 0 || slot >= int64_t(songs_.size())) return CADENZA_BAD_ARGUMENT;
    if (position < 0 || count < 1 || position > cache_.positions() || count > cache_.positions() - position)
        return CADENZA_BAD_ARGUMENT;
    const Song &song = songs_[size_t(slot)];
    if (!song.admitted) return CADENZA_EMPTY_SLOT;
    return position > song.length ? CADENZA_GAP : CADENZA_OK;
}

int Decoder::release(int slot) {
    if (slot < 0 || slot >= int(songs_.size())) return CADENZA_BAD_ARGUMENT;
    songs_[size_t(slot)] = Song();
    return CADENZA_OK;
}

int Decoder::admit(int slot, const float *text, int tokens) {
    if (slot < 0 || slot >= int(songs_.size()) || tokens < 0 || tokens > kMaxText) return CADENZA_BAD_ARGUMENT;
    if (tokens > 0 && (!text || !packed_.header.cross)) return CADENZA_BAD_ARGUMENT;
    if (!all_finite(text, int64_t(tokens) * hidden_)) return CADENZA_NOT_FINITE;
    Song song;
    song.admitted = true;
    song.tokens = tokens;
    if (tokens > 0) {
        song.text = Cache(format_, 1, int(packed_.header.layers), heads_, size_, tokens);
        if (!song.text.valid()) return CADENZA_NO_MEMORY;
    }
    admitting_ = &song;
    for (text_from_ = 0; text_from_ < tokens; text_from_ += rows_) {
        rows_ = std::min(max_rows_, tokens - text_from_);
        memcpy(normed_.row(0), text + int64_t(text_from_) * hidden_, size_t(rows_) * hidden_ * sizeof(float));
        phases_.clear();
        phases_.push_back(phase<&Decoder::embed_text>(0, rows_));
        for (int i = 0; i < int(packed_.layers.size()); i++) {
            phases_.push_back(phase<&Decoder::project_text>(i, tasks(packed_.layers[size_t(i)].cross_key_value)));
            phases_.push_back(phase<&Decoder::append_text>(i, heads_));
        }
        team_.run(phases_, this);
    }
    songs_[size_t(slot)] = std::move(song);
    return CADENZA_OK;
}

int Decoder::prefill(int slot, const float *hidden, int count, int64_t position) {
    if (!hidden) return CADENZA_BAD_ARGUMENT;
    if (const int status = check(slot, position, count)) return status;
    if (!all_finite(hidden, 2 * int64_t(count) * hidden_)) return CADENZA_NOT_FINITE;
    for (int from = 0; from < count;) {
        const int chunk = std::min(max_rows_ / 2, count - from);
        prefill_chunk(slot, hidden, count, from, chunk, int(position) + from);
        if (const int status = pass(chunk, false)) return status;
        from += chunk;
        songs_[size_t(slot)].length = int(position) + from;
    }
    return CADENZA_OK;
}

void Decoder::prefill_chunk(int slot, const float *hidden, int total, int from, int count, int position) {
    rows_ = 2 * count;
    sequences_.clear();
    for (int half = 0; half < 2; half++) {
        sequences_.push_back({slot, half, half * count, count, position});
        memcpy(residual_.data() + int64_t(half) * count * hidden_, hidden + (int64_t(half) * total + from) * hidden_,
               size_t(count) * hidden_ * sizeof(float));
    }
}

int Decoder::step(int songs, const int64_t *slots, const float *hidden, const int64_t *positions,
                  const float *guidance, float *logits) {
    if (songs < 1 || songs > int(songs_.size()) || !slots || !hidden || !positions || !guidance || !logits)
        return CADENZA_BAD_ARGUMENT;
    for (int i = 0; i < songs; i++) {
        if (const int status = check(slots[i], positions[i], 1)) return status;
        if (std::find(slots, slots + i, slots[i]) != slots + i) return CADENZA_BAD_ARGUMENT;
    }
    if (!all_finite(hidden, int64_t(songs) * hidden_) || !all_finite(guidance, songs)) return CADENZA_NOT_FINITE;
    rows_ = 2 * songs;
    guidance_ = guidance;
    logits_ = logits;
    sequences_.clear();
    for (int row = 0; row < rows_; row++) {
        const int song = row % songs;
        sequences_.push_back({int(slots[song]), row / songs, row, 1, int(positions[song])});
        memcpy(residual_.data() + int64_t(row) * hidden_, hidden + int64_t(song) * hidden_,
               size_t(hidden_) * sizeof(float));
    }
    if (const int status = pass(songs, true)) return status;
    for (int i = 0; i < songs; i++) songs_[size_t(slots[i])].length = int(positions[i]) + 1;
    return CADENZA_OK;
}

}  // namespace cadenza
