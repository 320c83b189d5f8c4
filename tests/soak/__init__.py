"""The soak: a fleet posts while everything fails in turn, and a ledger of its own counts the end.

`python -m tests.soak` (`make soak`) runs it on a local stack of its own. docs/reliability.md says
what is promised; this is how the promise is held.

`fleet` is what is true, `bodies` how it is sent, `sender` who sends it, `schedule` what fails
meanwhile, `found` what the tables and the lake hold in the end, `expected` which alerts there must
be, and `ledger` the comparison. The ledger reads items, objects and rows by itself: what the
pipeline's own code would overlook, it must not.
"""
