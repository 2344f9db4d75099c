"""`python -m fenta.gateway`."""

from fenta.chassis.service import run
from fenta.gateway.main import main

run(main)
