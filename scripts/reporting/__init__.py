"""What people read: sentences, tables, LaTeX, figures, pages, the model card and README's block of numbers."""
