"""Arms the places at which a process dies by itself, once."""

from pathlib import Path


def armed(folder: Path, *points: str) -> dict[str, str]:
    """The environment of a process that dies at these points."""
    folder.mkdir(parents=True, exist_ok=True)
    for point in points:
        (folder / point).touch()
    return {"FENTA_CRASH_POINTS": str(folder)}


def is_armed(folder: Path, point: str) -> bool:
    """Whether nobody has died there yet."""
    return (folder / point).exists()
