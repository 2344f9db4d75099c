"""`python -m fenta.billing`."""

from fenta.billing.main import main
from fenta.chassis.service import run

run(main)
