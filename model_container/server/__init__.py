"""The engine over HTTP: SageMaker's contract and plain requests.

Knows HTTP, addresses to fetch from and to put to, and the engine's requests. Must not know how songs are
made, or AWS: it holds no credentials, every address it is given carries its own right.
"""
