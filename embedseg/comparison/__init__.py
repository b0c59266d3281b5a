"""Training several settings under one budget: cells of a grid, runs, scores, costs, a table."""
