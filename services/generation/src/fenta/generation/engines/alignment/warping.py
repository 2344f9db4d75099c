"""Dynamic time warping: which moment of one speech is which of another that says the same."""

import numpy as np
from numpy.typing import NDArray

from fenta.generation.engines.alignment.features import Features

Path = NDArray[np.int32]

# From one step of the sound to the next, how many steps the model goes on, and what each of these costs.
ADVANCES = ((0, 0.35), (1, 0.0), (2, 0.25), (3, 0.6))
# Longer ones are aligned roughly first, so that memory grows with their length and not with its square.
LONGEST_AT_ONCE = 3000
COARSE, REACH = 10, 250


def warped(sound: Features, model: Features) -> Path:
    """For each step of the sound the step of the model; it never goes back, and goes from end to end."""
    if max(len(sound), len(model)) <= LONGEST_AT_ONCE:
        return _best(sound, model, np.zeros(len(sound), np.int64), len(model))
    rough = warped(_averaged(sound), _averaged(model)) * COARSE
    middles = np.interp(np.arange(len(sound)), np.arange(len(rough)) * COARSE + COARSE / 2, rough)
    lows = np.clip(middles.astype(np.int64) - REACH, 0, max(0, len(model) - 2 * REACH))
    return _best(sound, model, np.maximum.accumulate(lows), min(len(model), 2 * REACH))


def _averaged(rows: Features) -> Features:
    padded = np.pad(rows, ((0, -len(rows) % COARSE), (0, 0)), mode="edge")
    return np.asarray(padded.reshape(-1, COARSE, rows.shape[1]).mean(axis=1))


def _best(sound: Features, model: Features, lows: NDArray[np.int64], width: int) -> Path:
    """The cheapest way through the band whose rows begin at `lows`."""
    came = np.zeros((len(sound), width), np.int8)
    total = np.full(width, np.inf, np.float32)
    total[0] = 0.0
    squares = (model**2).sum(axis=1)
    for row in range(len(sound)):
        low = lows[row]
        if row:
            total, came[row] = _step(total, int(low - lows[row - 1]), width)
        near = model[low : low + width]
        distance = np.sqrt(np.maximum(0, squares[low : low + width] - 2 * near @ sound[row] + (sound[row] ** 2).sum()))
        total = total + distance / np.sqrt(np.float32(model.shape[1]))
    return _walked_back(came, lows, len(model))


def _step(total: NDArray[np.float32], shift: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """The cheapest way to each place of the next row, whose band begins `shift` further on."""
    most = ADVANCES[-1][0]
    padded = np.concatenate([np.full(most, np.inf, np.float32), total, np.full(shift + 1, np.inf, np.float32)])
    ways = np.stack(
        [padded[most + shift - way : most + shift - way + width] + np.float32(cost) for way, cost in ADVANCES]
    )
    best = ways.argmin(axis=0)
    return ways[best, np.arange(width)], best.astype(np.int8)


def _walked_back(came: NDArray[np.int8], lows: NDArray[np.int64], last: int) -> Path:
    path = np.zeros(len(came), np.int32)
    place = last - 1
    for row in range(len(came) - 1, -1, -1):
        path[row] = place
        place -= ADVANCES[came[row, place - lows[row]]][0]
    return path
