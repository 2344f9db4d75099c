"""`python -m fenta.generation`."""

from fenta.chassis.service import run
from fenta.generation.main import main

run(main)
