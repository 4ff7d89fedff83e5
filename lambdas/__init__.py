"""The functions of Cadenza. Loaded before anything else of theirs, so what tunes a cold start is here."""

import gc
import os

# Loading makes some hundred thousand objects and no garbage; looking for it costs a tenth of the time.
gc.set_threshold(50_000, 20, 20)

# Pydantic asks the metadata of every installed package for plug-ins to itself; there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
