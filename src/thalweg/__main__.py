"""``python -m thalweg`` is the command line."""

from thalweg.cli.main import main

main()
