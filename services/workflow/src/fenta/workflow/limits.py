"""How much of an organisation may run at once, by plan."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """`weight` is the organisation's share where workers are scarce."""

    jobs_running: int
    jobs_waiting: int
    steps_in_flight: int
    weight: int
    longest_seconds: int


ROOMS = {
    "free": Room(jobs_running=1, jobs_waiting=20, steps_in_flight=4, weight=1, longest_seconds=60),
    "starter": Room(jobs_running=3, jobs_waiting=100, steps_in_flight=12, weight=2, longest_seconds=180),
    "pro": Room(jobs_running=10, jobs_waiting=1000, steps_in_flight=40, weight=4, longest_seconds=600),
    "enterprise": Room(jobs_running=50, jobs_waiting=10_000, steps_in_flight=200, weight=8, longest_seconds=3600),
}
