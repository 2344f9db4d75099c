"""The six words of the older interface for where a job or a step is."""

_ENDS_AND_WAITS = {
    "pending": "PENDING",
    "queued": "QUEUED",
    "completed": "COMPLETED",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
    "skipped": "CANCELLED",
}


def phase_of(status: str) -> str:
    """What is neither waiting nor over is running."""
    return _ENDS_AND_WAITS.get(status, "RUNNING")
