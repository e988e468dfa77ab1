"""Many runs as one: rows, parts swapped, seeds; planned before they start, and gone on with whatever dies."""
