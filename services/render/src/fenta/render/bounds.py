"""The most that one render may ask for. Beyond any of these a timeline is refused with the number that it may have."""

LONGEST_MS = 600_000
MOST_TRACKS = 50
MOST_CLIPS = 2_000
# Of one canvas: 2160 x 3840.
MOST_PIXELS = 8_294_400
# What the pictures seen at one moment may take in a worker's memory.
MOST_MEMORY_MIB = 2_048

# A still is held at twice its size in both directions, one and a half bytes a pixel, with a plane for what is clear;
# beside it stands the frame that it is drawn into.
BYTES_PER_PIXEL = 4 * 2.5 + 2.5


def memory_mib(pixels: int, pictures: int) -> int:
    """Of a worker that shows so many pictures at once on a canvas of so many pixels."""
    return round(pixels * (pictures + 1) * BYTES_PER_PIXEL / (1 << 20))
