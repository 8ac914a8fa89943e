"""Points in compressed sparse rows: scores in float64 over the entries that are not 0; close ones are settled."""
