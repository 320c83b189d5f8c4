"""`weir`: the operator's command line.

`sources`, `batches`, `sender`, `delivery`, `fleet`, `merge` and `audit` know neither typer nor a
terminal: tests and benchmarks use them as they are. `commands` has a module for each command.
"""
