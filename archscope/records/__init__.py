"""The structs that runs and studies leave on disk. Free of torch."""
