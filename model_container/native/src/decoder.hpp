// The decoder: what one pass through the layers is, phase by phase. Knows the model; must not know instruction sets.
//
// A pass takes rows: positions of songs, conditional ones first, because only those have cross-attention. Rows that
// are consecutive positions of the same half of a slot form a sequence. Every phase is independent per row (LayerNorm),
// per tile of outputs (matrices) or per sequence and head (attention), and its tasks are cut along those lines.

#pragma once

#include <atomic>
#include <type_traits>
#include <vector>

#include "cache.hpp"
#include "packed.hpp"
#include "team.hpp"

namespace cadenza {

struct Sequence {
    int slot;
    int half;  // 0 conditional, 1 unconditional
    int row;   // of the pass; the following count - 1 belong to it too
    int count;
    int position;
};

struct Song {  // what a slot holds
    bool admitted = false;
    int length = 0;  // positions computed
    int tokens = 0;
    Cache text;
};

// Rows with their memory.
class Inputs {
public:
    Inputs(int rows, int width, int group, bool quantized);
    const Rows &rows() const { return rows_; }
    float *row(int index) const { return rows_.values + int64_t(index) * rows_.width; }

private:
    std::vector<float> values_, scales_;
    std::vector<int8_t> codes_;
    std::vector<int32_t> sums_;
    Rows rows_;
};

class Decoder {
public:
    Decoder(Packed packed, const Kernels &kernels, int slots, int positions, int threads);

    bool valid() const { return cache_.valid(); }
    const Packed &packed() const { return packed_; }
    int threads() const { return team_.threads(); }
    int64_t slot_bytes() const { return 2 * cache_.row_bytes(); }

    // Arguments and statuses: cadenza_decoder.h.
    int admit(int slot, const float *text, int tokens);
    int prefill(int slot, const float *hidden, int count, int64_t position);
    int step(int songs, const int64_t *slots, const float *hidden, const int64_t *positions, const float *guidance,
             float *logits);
    int release(int slot);

private:
    int check(int64_t slot, int64_t position, int64_t count) const;
    int pass(int conditional, bool with_logits);
    void prefill_chunk(int slot, const float *hidden, int total, int from, int count, int position);

    // Phases. Their argument is the layer.
    void embed_text(int, int task);
    void project_text(int layer, int task);
    void append_text(int layer, int task);
    void norm_for_self(int layer, int task);
    void project_qkv(int layer, int task);
    void attend_self(int layer, int task, int thread);
    void project_out(int layer, int task);
    void norm_for_cross(int layer, int task);
    void project_cross_query(int layer, int task);
    void attend_cross(int layer, int task, int thread);
    void project_cross_out(int layer, int task);
    void norm_for_ffn(int layer, int task);
    void project_up(int layer, int task);
    void project_down(int layer, int task);
    void norm_for_heads(int, int task);
    void project_heads(int, int task);

    void normalize(const Norm &norm, int row);
    void quantize(const Inputs &inputs, int row, int from, int to);
    Block block(const Matrix &matrix, int task, int rows) const;
    int tasks(const Matrix &matrix) const;
    int tiles_per_task(const Matrix &matrix) const;
    int head_chunks() const { return heads_ / heads_per_task_; }
    void multiply(const Matrix &matrix, const Inputs &inputs, Block block, float *out, int stride, bool add);

    template <auto Task>
    static Phase phase(int argument, int tasks);
    void add_layer(int layer, int conditional);

    Packed packed_;
    const Kernels &kernels_;
    const Format format_;
    const int hidden_, heads_, size_, ffn_, heads_per_task_, max_rows_;
    Cache cache_;
    std::vector<Song> songs_;

    // Of the current pass.
    std::vector<Sequence> sequences_;
    int rows_ = 0;
    int conditional_ = 0;
    Song *admitting_ = nullptr;
    int text_from_ = 0;
    const float *guidance_ = nullptr;
    float *logits_ = nullptr;
    std::atomic<bool> finite_{true};

    std::vector<float> residual_, qkv_, all_logits_, scores_;
    Inputs normed_, context_, gated_;
    std::vector<Phase> phases_;
    Team team_;  // last: its threads must end before anything they use
};

template <auto Task>
Phase Decoder::phase(int argument, int tasks) {
    return {[](void *self, int layer, int task, int thread) {
                auto *decoder = static_cast<Decoder *>(self);
                if constexpr (std::is_invocable_v<decltype(Task), Decoder *, int, int, int>)
                    (decoder->*Task)(layer, task, thread);
                else
                    (void)thread, (decoder->*Task)(layer, task);
            },
            argument, tasks};
}

}  // namespace cadenza
