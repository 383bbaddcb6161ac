"""Architecture search: a strategy proposes networks of a space and executors train them."""
