"""The evaluation harness: tables, comparisons, image grids and reports. It knows no method by name."""
