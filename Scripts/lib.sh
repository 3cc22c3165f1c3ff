# Sourced by the other scripts: words on the terminal, and where the tests' Python lives. POSIX sh.

say() { printf '%s\n' "$name: $*"; }
fail() { printf '%s\n' "$name: $*" >&2; exit 1; }

venv=${SHIPPY_TEST_VENV:-$PWD/.build/test-venv}
