"""Parts of pages that grew out of one file."""
