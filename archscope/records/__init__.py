"""The structs that runs and studies store on disk, independent of torch."""
