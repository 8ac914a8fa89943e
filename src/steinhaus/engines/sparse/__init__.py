"""Points in compressed sparse rows: scores in float64 over the stored entries; close scores are settled."""
