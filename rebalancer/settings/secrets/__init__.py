"""Secrets: where they come from, in a fixed order, and a type that never shows them."""

from rebalancer.settings.secrets.gather import Surroundings, surroundings
from rebalancer.settings.secrets.secret import SECRET_NAMES, Secret

__all__ = ["SECRET_NAMES", "Secret", "Surroundings", "surroundings"]
