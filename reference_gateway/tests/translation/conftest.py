"""Property tests here have no deadline: a busy machine is no finding."""

from hypothesis import HealthCheck, settings

settings.register_profile("translation", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("translation")
