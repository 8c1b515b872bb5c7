# Sourced by the programs of this folder: run Python code with pinned packages.
#
#     run_with "package==1.0 other==2.0" <<'PYTHON'
#     ...
#     PYTHON
set -euo pipefail

run_with() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python3 -m venv "$folder/venv"
    # shellcheck disable=SC2086 # one requirement a word
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check $1
    (cd "$folder" && "$folder/venv/bin/python" -)
}
