"""Secrets: their sources, in a fixed order of precedence, and a type that never displays them."""

from rebalancer.settings.secrets.gather import Surroundings, surroundings
from rebalancer.settings.secrets.secret import SECRET_NAMES, Secret

__all__ = ["SECRET_NAMES", "Secret", "Surroundings", "surroundings"]
