r"""Names of columns that something on the way might take for more than text.

Markup of Rich, HTML, Plotly, TeX and Jinja; what a terminal obeys; quotes and escapes of Python,
CSV and shells; words that stand for something in our own files and sentences; what looks like a
number, a path, a formula or nothing. Not here: names that are refused, as ``__index_level_0__``,
and bytes that are no text.
"""

from __future__ import annotations

NAMES = (
    # Rich
    "[cm]", "[/]", "[bold red]x[/]", ":smile:",
    # what a terminal obeys, and what ends a line
    "\x1b[35mpink\x1b[0m", "\x1b]0;title\x07", "it's \\\x07\x01\x08\x0b\x0c\x1f\x7f", "\x85\x9b31m",
    "two\nlines", "carriage\rreturn", "tab\tstop", "\u2028line\u2029",
    # what is not seen
    "\u202egnp.exe", "zero\u200bwidth\u200d\u2060", "\ufeffmark", " around ", "\u00a0",
    # HTML, Plotly, TeX, Jinja
    "<b>bold</b><br>", "<script>alert(1)</script>", "<a href='x'>k</a>",
    "<img src=x onerror=alert(1)>", "</script><!--", "\" onclick=\"alert(1)", "%{x} %{y:.2f}",
    "&amp; &#60;", "&lt;i&gt;", r"$x^2$ \(x\)", "{{ 7 * 7 }}{% raw %}",
    # quotes, escapes and fields
    '"quoted", ', "'it' `is` “so” «et» ‹là›", '"""', "'''", "back\\slash\\",
    r"\N{BULLET} C:\x \u12", "${HOME} $(id)", "{lr}", "{read.missing}", "%s %(x)d", "# comment",
    "a,b;c",
    # Python and spreadsheets
    "__import__('os')", "lambda", "=1+1", "@SUM(1)",
    # words of ours
    "bias", "loss", "weight", "epoch", "step", "scaled_x",
    # options, paths, numbers, nothing
    "-x", "--json", "../../x", "1e5", "nan", "NaN", "None", "true",
    # as people write
    "👩\u200d🔬 e\u0301 ı İ ß", "عرض 深さ",
    # one that is cut into lines, wherever that may be
    r"\x" * 250,
)  # fmt: skip
