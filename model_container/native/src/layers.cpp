// The phases of a pass, in the order in which data flows through them.

#include <algorithm>
#include <cstring>

#include "cadenza_decoder.h"
#include "decoder.hpp"

namespace cadenza {
namespace {

// A task should last long beside its hand-over (a fraction of a microsecond) and be short beside the phase.
constexpr int64_t kTaskBytes = 96 << 10;

int up_to_multiple(int64_t value, int multiple) {
    return int(std::max<int64_t>(1, value / multiple)) * multiple;
}

}  // namespace

int Decoder::pass(int conditional, bool with_logits) {
    conditional_ = conditional;
    finite_.store(true);
    phases_.clear();
    for (int layer = 0; layer < int(packed_.layers.size()); layer++) add_layer(layer, conditional);
    if (with_logits) {
        phases_.push_back(phase<&Decoder::norm_for_heads>(0, rows_));
        phases_.push_back(phase<&Decoder::project_heads>(0, tasks(packed_.heads)));
    }
    team_.run(phases_, this);
    return finite_.load() ? CADENZA_OK : CADENZA_NOT_FINITE;
}

void Decoder::add_layer(int index, int conditional) {
    const Layer &layer = packed_.layers[size_t(index)];
    phases_.push_back(phase<&Decoder::norm_for_self>(index, rows_));
    phases_.push_back(phase<&Decoder::project_qkv>(index, tasks(layer.qkv)));
    phases_.push_back(phase<&Decoder::attend_self>(index, int(sequences_.size()) * head_chunks()));
    phases_.push_back(phase<&Decoder::project_out>(index, tasks(layer.out)));
    if (packed_.header.cross) {
        phases_.push_back(phase<&Decoder::norm_for_cross>(index, conditional));
        phases_.push_back(phase<&Decoder::project_cross_query>(index, tasks(layer.cross_query)));
        phases_.push_back(phase<&Decoder::attend_cross>(index, conditional * head_chunks()));
        phases_.push_back(phase<&Decoder::project_cross_out>(index, tasks(layer.cross_out)));
    }
    phases_.push_back(phase<&Decoder::norm_for_ffn>(index, rows_));
    phases_.push_back(phase<&Decoder::project_up>(index, tasks(layer.up)));
    phases_.push_back(phase<&Decoder::project_down>(index, tasks(layer.down)));
}

// Whole groups of outputs, so that a task can quantize what it made.
int Decoder::tiles_per_task(const Matrix &matrix) const {
    return up_to_multiple(kTaskBytes / matrix.tile_bytes, std::max(1, matrix.group / kLanes));
}

int Decoder::tasks(const Matrix &matrix) const {
    const int per_task = tiles_per_task(matrix);
    return (matrix.outputs / kLanes + per_task - 1) / per_task;
}

Block Decoder::block(const Matrix &matrix, int task, int rows) const {
    const int per_task = tiles_per_task(matrix);
    return {task * per_task, std::min((task + 1) * per_task, matrix.outputs / kLanes), 0, rows};
}

void Decoder::multiply(const Matrix &matrix, const Inputs &inputs, Block block, float *out, int stride, bool add) {
    kernels_.multiply[int(format_)](matrix, inputs.rows(), block, out, stride, add);
}

void Decoder::quantize(const Inputs &inputs, int row, int from, int to) {
    if (quantized(format_)) kernels_.quantize(inputs.rows(), row, from, to);
}

void Decoder::normalize(const Norm &norm, int row) {
    const float *x = residual_.data() + int64_t(row) * hidden_;
    if (!kernels_.normalize(x, norm.scale, norm.bias, normed_.rows(), row)) finite_.store(false);
    quantize(normed_, row, 0, hidden_);
}

void Decoder::embed_text(int, int task) { quantize(normed_, task, 0, hidden_); }

void Decoder::project_text(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].cross_key_value;
    multiply(matrix, normed_, block(matrix, task, rows_), qkv_.data(), 3 * hidden_, false);
}

void Decoder::append_text(int layer, int task) {
    const Head head = admitting_->text.head(0, layer, task);
    for (int row = 0; row < rows_; row++) {
        const float *key = qkv_.data() + int64_t(row) * 3 * hidden_ + task * size_;
        kernels_.append[int(format_)](head, text_from_ + row, key, key + hidden_);
    }
}

void Decoder::norm_for_self(int layer, int task) { normalize(packed_.layers[size_t(layer)].self_norm, task); }

void Decoder::project_qkv(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].qkv;
    multiply(matrix, normed_, block(matrix, task, rows_), qkv_.data(), 3 * hidden_, false);
}

// A sequence's positions one after the other: each sees those before it and itself, which makes the attention causal.
void Decoder::attend_self(int layer, int task, int thread) {
    const Sequence &sequence = sequences_[size_t(task / head_chunks())];
    const int first = task % head_chunks() * heads_per_task_;
    float *scores = scores_.data() + scores_.size() / size_t(threads()) * size_t(thread);
    for (int i = 0; i < sequence.count; i++) {
        const int row = sequence.row + i, position = sequence.position + i;
        for (int h = first; h < first + heads_per_task_; h++) {
            const Head head = cache_.head(2 * sequence.slot + sequence.half, layer, h);
            const float *query = qkv_.data() + int64_t(row) * 3 * hidden_ + h * size_;
            kernels_.append[int(format_)](head, position, query + hidden_, query + 2 * hidden_);
            kernels_.attend[int(format_)](head, position + 1, query, scores, context_.row(row) + h * size_);
        }
        quantize(context_, row, first * size_, (first + heads_per_task_) * size_);
    }
}

void Decoder::project_out(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].out;
    multiply(matrix, context_, block(matrix, task, rows_), residual_.data(), hidden_, true);
}

void Decoder::norm_for_cross(int layer, int task) { normalize(packed_.layers[size_t(layer)].cross_norm, task); }

void Decoder::project_cross_query(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].cross_query;
    multiply(matrix, normed_, block(matrix, task, conditional_), qkv_.data(), 3 * hidden_, false);
}

void Decoder::attend_cross(int layer, int task, int thread) {
    const int row = task / head_chunks(), first = task % head_chunks() * heads_per_task_;
    const auto owner = std::find_if(sequences_.begin(), sequences_.end(),
                                    [&](const Sequence &s) { return row < s.row + s.count; });
    const Song &song = songs_[size_t(owner->slot)];
    float *scores = scores_.data() + scores_.size() / size_t(threads()) * size_t(thread);
    for (int h = first; h < first + heads_per_task_; h++) {
        const float *query = qkv_.data() + int64_t(row) * 3 * hidden_ + h * size_;
        float *out = context_.row(row) + h * size_;
        if (song.tokens > 0)
            kernels_.attend[int(format_)](song.text.head(0, layer, h), song.tokens, query, scores, out);
        else
            std::fill_n(out, size_, 0.0f);
    }
    quantize(context_, row, first * size_, (first + heads_per_task_) * size_);
}

void Decoder::project_cross_out(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].cross_out;
    multiply(matrix, context_, block(matrix, task, conditional_), residual_.data(), hidden_, true);
}

void Decoder::norm_for_ffn(int layer, int task) { normalize(packed_.layers[size_t(layer)].ffn_norm, task); }

void Decoder::project_up(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].up;
    const Block tiles = block(matrix, task, rows_);
    multiply(matrix, normed_, tiles, gated_.row(0), ffn_, false);
    for (int row = 0; row < rows_; row++) {
        kernels_.gelu(gated_.row(row) + tiles.from * kLanes, (tiles.to - tiles.from) * kLanes);
        quantize(gated_, row, tiles.from * kLanes, tiles.to * kLanes);
    }
}

void Decoder::project_down(int layer, int task) {
    const Matrix &matrix = packed_.layers[size_t(layer)].down;
    multiply(matrix, gated_, block(matrix, task, rows_), residual_.data(), hidden_, true);
}

void Decoder::norm_for_heads(int, int task) { normalize(packed_.norm, task); }

void Decoder::project_heads(int, int task) {
    const Block tiles = block(packed_.heads, task, rows_);
    const int stride = packed_.heads.outputs, songs = rows_ / 2;
    multiply(packed_.heads, normed_, tiles, all_logits_.data(), stride, false);
    const int from = tiles.from * kLanes, to = std::min(tiles.to * kLanes, packed_.outputs());
    for (int song = 0; song < songs; song++) {
        const float *conditional = all_logits_.data() + int64_t(song) * stride;
        const float *unconditional = conditional + int64_t(songs) * stride;
        float *out = logits_ + int64_t(song) * packed_.outputs();
        for (int i = from; i < to; i++)
            out[i] = unconditional[i] + (conditional[i] - unconditional[i]) * guidance_[song];
    }
}

}  // namespace cadenza
