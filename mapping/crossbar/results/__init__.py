"""What users see of a run: report, tables, figures, and studies of what each effect does."""
