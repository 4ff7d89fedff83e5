/* The C interface of MusicGen's decoder step on a CPU.
 *
 * A decoder is opened over one packed file (see pack.py) and has a fixed number of slots, one song each. A slot holds
 * two rows, conditional and unconditional. Arrays are row-major and contiguous; floats are IEEE single precision.
 *
 * Every function that can fail returns 0 or one of the codes below and leaves the slots as they were before the
 * call, except CADENZA_NOT_FINITE, after which the slots of that call must be released. A handle may be used from
 * several threads; calls on it run one after another.
 */
#ifndef CADENZA_DECODER_H
#define CADENZA_DECODER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CADENZA_API __attribute__((visibility("default")))

enum cadenza_status {
    CADENZA_OK = 0,
    CADENZA_NO_FILE = 1,         /* the packed file cannot be opened or mapped */
    CADENZA_BAD_FILE = 2,        /* it is not a packed decoder, is damaged, or is of another version */
    CADENZA_UNSUPPORTED = 3,     /* this build or this CPU has no such kernels */
    CADENZA_NO_MEMORY = 4,       /* memory for keys and values cannot be had */
    CADENZA_BAD_ARGUMENT = 5,    /* a null pointer, a count below 1, a slot or position out of range, a slot twice */
    CADENZA_EMPTY_SLOT = 6,      /* the slot was not admitted */
    CADENZA_GAP = 7,             /* positions before the given one were never computed */
    CADENZA_NOT_FINITE = 8       /* the input holds, or the computation gave, a NaN or an infinity */
};

typedef struct cadenza_decoder cadenza_decoder;

struct cadenza_shape {
    int32_t hidden, heads, layers, ffn, codebooks, vocabulary, cross; /* cross: 1 with cross-attention, else 0 */
    int32_t format, group;                                            /* of the weights, see packed.hpp */
    int32_t threads;                                                  /* that really run */
    int64_t step_bytes;  /* weights read in a step */
    int64_t slot_bytes;  /* keys and values of one slot */
};

/* kernels: "auto" for the best that this CPU has, or a name from cadenza_kernels.
 * threads: at least 1. More than the process may keep busy slow each other down. */
CADENZA_API int cadenza_open(const char *path, int32_t slots, int32_t positions, int32_t threads, const char *kernels,
                             cadenza_decoder **decoder);
CADENZA_API void cadenza_close(cadenza_decoder *decoder);
CADENZA_API int cadenza_describe(const cadenza_decoder *decoder, struct cadenza_shape *shape);

/* text: [tokens][hidden], projected encoder states; tokens may be 0. */
CADENZA_API int cadenza_admit(cadenza_decoder *decoder, int32_t slot, const float *text, int32_t tokens);

/* hidden: [2][count][hidden], row 0 conditional, row 1 unconditional; the first of the count is at `position`. */
CADENZA_API int cadenza_prefill(cadenza_decoder *decoder, int32_t slot, const float *hidden, int32_t count,
                                int64_t position);

/* slots, positions, guidance: [songs]; hidden: [songs][hidden]; logits: [songs][codebooks][vocabulary]. */
CADENZA_API int cadenza_step(cadenza_decoder *decoder, int32_t songs, const int64_t *slots, const float *hidden,
                             const int64_t *positions, const float *guidance, float *logits);

CADENZA_API int cadenza_release(cadenza_decoder *decoder, int32_t slot);

CADENZA_API const char *cadenza_explain(int status);

/* Names of the kernels that this CPU can run, best first, separated by spaces. */
CADENZA_API const char *cadenza_kernels(void);

#ifdef __cplusplus
}
#endif

#endif
