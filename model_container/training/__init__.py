"""Trains the two-track model on a folder of songs, in its data's order: songs, pairs, codec, losses, loop.

Knows torch, PyAV, transformers' EnCodec and TensorBoard. Must not know the server.
"""
