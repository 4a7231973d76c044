"""What attention maps show, and what they would show of nothing."""
