"""MusicGen in the order its data flows: text, decoder, delay pattern, sampling, generate, EnCodec, WAV.

Knows models, arrays and ONNX Runtime. Knows no HTTP, no AWS, no torch, and nothing of ours outside.
"""
