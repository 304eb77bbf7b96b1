"""Series of daily returns that the figures are compared on: quiet and wild, short and long, all up, all down, flat."""

from __future__ import annotations

from random import Random

YEAR = 252


def drawn(seed: int, days: int, mean: float, deviation: float, jumps: float = 0.0) -> list[float]:
    """Returns with a fat tail where jumps are wanted; now and then exactly zero."""
    random = Random(seed)
    found = []
    for _ in range(days):
        size = deviation * (6 if random.random() < jumps else 1)
        found.append(0.0 if random.random() < 0.02 else random.gauss(mean, size))
    return found


SERIES: dict[str, list[float]] = {
    "a quarter": drawn(1, 63, 0.0006, 0.009),
    "a year": drawn(2, YEAR, 0.0004, 0.011),
    "ten years": drawn(3, 10 * YEAR, 0.0003, 0.01, 0.02),
    "a crash": [*drawn(4, 100, 0.001, 0.01), -0.35, *drawn(5, 100, 0.001, 0.02)],
    "all up": [abs(x) + 1e-4 for x in drawn(6, 80, 0.0, 0.01)],
    "all down": [-abs(x) - 1e-4 for x in drawn(7, 80, 0.0, 0.01)],
    "tiny": [x * 1e-7 for x in drawn(8, 120, 0.0, 1.0)],
    "two days": [0.01, -0.02],
    "a week": [0.004, -0.002, 0.0, 0.011, -0.007],
    "flat": [0.0] * 30,
}
BENCHMARKED: dict[str, tuple[list[float], list[float]]] = {
    "a year": (SERIES["a year"], drawn(12, YEAR, 0.0004, 0.008)),
    "a follower": (
        [0.8 * b + e for b, e in zip(drawn(13, 500, 0.0003, 0.01), drawn(14, 500, 0.0, 0.003), strict=True)],
        drawn(13, 500, 0.0003, 0.01),
    ),
    "ten years": (SERIES["ten years"], drawn(15, 10 * YEAR, 0.0002, 0.012, 0.01)),
}
