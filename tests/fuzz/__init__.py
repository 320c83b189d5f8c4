"""Coverage-guided fuzzing of all that reads what came from outside: `make fuzz`.

`targets` says what is fuzzed, from which seeds, and what must hold of every input. A target is a
plain function of bytes: `tests/integration/test_fuzz_targets.py` puts the seeds through all of them
in `make test`, without the fuzzer. `one` drives a target with atheris (libFuzzer), `mutators` keeps
its inputs well-formed enough to get past the first error of a parser.
"""
