"""`python -m fenta.workflow`"""

from fenta.chassis.service import run
from fenta.workflow.main import main

run(main)
