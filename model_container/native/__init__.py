"""MusicGen's decoder step in C++: its sources (src), their compilation, and how weights are packed for it.

Knows compilers and the packed file. Knows nothing of tokens, HTTP or AWS.
"""
