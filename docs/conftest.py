"""What of this folder the suite runs: the code blocks of its pages."""

from importlib.util import find_spec

# The site's settings, this file, and what building the site generates.
collect_ignore = ["conf.py", "conftest.py"]
collect_ignore_glob = ["gallery/*", "api/*"]

# Pages about packages that the suite does without; `make docs` installs mlxtend.
PAGES = {
    "coming-from/mlxtend.md": ["mlxtend"],
    "coming-from/pytorch.md": ["torch"],
    "coming-from/tensorflow.md": ["keras", "tensorflow"],
}
collect_ignore += [
    page for page, packages in PAGES.items() if not all(map(find_spec, packages))
]
