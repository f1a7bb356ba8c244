"""What people read: sentences, tables, LaTeX, figures, pages and the model card."""
