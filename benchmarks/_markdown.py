"""Tables in Markdown."""


def table(head, rows):
    """Lines of a table; head and rows hold strings."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
