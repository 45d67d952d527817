"""`python -m hyperir`."""

from hyperir.cli import main

main()
