"""One module for each command: parse the options, call the rest, show the result."""
