"""`python -m fenta.render`."""

from fenta.chassis.service import run
from fenta.render.main import main

run(main)
