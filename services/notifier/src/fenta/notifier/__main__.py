"""`python -m fenta.notifier`."""

from fenta.chassis.service import run
from fenta.notifier.main import main

run(main)
