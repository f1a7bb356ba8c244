"""Jinja2 templates, all rendered with the same options."""

from reasoning.rows import marked_row

from reporting.words import change_in_words, environment_in_words, percent, points


def breakable(name):
    """A name as HTML that may break after an underscore, so that a column need not be as wide as the name."""
    from markupsafe import Markup, escape

    return Markup(escape(name).replace("_", Markup("_<wbr>")))


FILTERS = {
    "breakable": breakable,
    "percent": percent,
    "points": points,
    "change": change_in_words,
    "marked": marked_row,
    "environment": environment_in_words,
}


def fill(template, **values):
    """Render a template file. HTML is escaped; a missing value is an error, not an empty text."""
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
