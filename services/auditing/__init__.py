"""Whether catalogue, blobs and tables agree: every disagreement is told, nothing is changed."""
