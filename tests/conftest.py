"""What holds for every test: hypothesis never judges by the clock, and says how to repeat what it found."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "cadenza", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cadenza")
