"""Jinja2 templates, all filled in by the same rules."""

from reasoning.rows import marked_row

from reporting.words import change_in_words, environment_in_words, percent, points

FILTERS = {
    "percent": percent,
    "points": points,
    "change": change_in_words,
    "marked": marked_row,
    "environment": environment_in_words,
}


def fill(template, **values):
    """The text of a template file. HTML is escaped; a value that is missing is an error and not an empty text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=template.name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    return environment.get_template(template.name).render(**values)
