"""Output for people: sentences, tables, LaTeX, figures, pages and the model card."""
