"""ONNX graphs of MusicGen's parts, built by hand from a checkpoint when it is packed.

Knows the `onnx` package. The engine must not import this: it runs the packed files alone.
"""
