"""Networks as drawings: nested blocks, their layout, and formats that draw them."""
