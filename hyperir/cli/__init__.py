"""The command line: one function a verb. Data to stdout, messages and bars to stderr.

Exit codes: 0 done; 1 trouble; 2 the input cannot be used, and nothing was changed but what a note on the error says;
3 an index folder is damaged or locked; 130 interrupted.
"""

# In this order the help lists the verbs.
from hyperir.cli import road, papers, changes, learning, adapt, training, care, bench  # noqa: F401, I001
from hyperir.cli.app import app, main

__all__ = ["app", "main"]
