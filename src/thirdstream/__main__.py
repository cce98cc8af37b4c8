"""`python -m thirdstream` is the command `thirdstream`."""

from thirdstream.cli import main

main()
