#!/bin/sh
# mypy, strictly. The functions are one module name (`app`) each, so each is checked on its own.
set -e
cd "$(dirname "$0")/.."
.venv/bin/mypy layers/weir/weir cli/weir_cli local/weir_local \
	tests benchmarks tools/*.py
for function in functions/*/app.py; do
	.venv/bin/mypy "$function" | grep -v '^Success' && exit 1
done
exit 0
