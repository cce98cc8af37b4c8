"""`python -m thirdstream` is the command `thirdstream`."""

from thirdstream.cli.main import main

main()
