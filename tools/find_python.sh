#!/bin/sh
# Print the path of a Python 3.13 that really runs. A name on PATH proves nothing: a version
# manager's shim may stand there and fail.
try() {
	[ -n "$1" ] && "$1" -c 'import sys, venv, ensurepip
sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

for name in "${PYTHON:-}" python3.13 python3 python \
	"${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
	/usr/local/bin/python3.13 /opt/homebrew/bin/python3.13 /usr/bin/python3.13 \
	"$HOME"/.local/share/uv/python/cpython-3.13*/bin/python3.13 \
	/opt/python/3.13*/bin/python3.13 /opt/hostedtoolcache/Python/3.13*/*/bin/python3.13; do
	path=$(command -v "$name" 2>/dev/null) || continue
	if try "$path"; then
		printf '%s\n' "$path"
		exit 0
	fi
done
echo "Weir needs Python 3.13 with its venv module: install it (python.org, your package manager," \
	"pyenv or uv) or name one that runs with PYTHON=/path/to/python3.13." >&2
exit 1
