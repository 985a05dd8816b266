"""The command line: thin words around the library, a file for each kind of command."""
