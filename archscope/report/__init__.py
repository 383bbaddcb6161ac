"""What is found, made visible: tables first, then one file for each way to show them."""
