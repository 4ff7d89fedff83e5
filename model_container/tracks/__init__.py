"""Two songs in, a new one out: the two-track model as it runs, from samples to samples.

Knows EnCodec's latents, the model and what becomes of its sound. Must not know HTTP, files of songs, or
whose they are. It runs without torch; on a GPU, with it.
"""
