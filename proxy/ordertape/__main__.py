"""`python -m ordertape`: the command without its script."""

from ordertape.cli import main

main()
