"""`python -m reconciler`; the installed command is `reconciler`."""

from reconciler.cli import main

main()
