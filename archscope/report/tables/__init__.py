"""What was found as tables, before anyone decided how to show them."""
