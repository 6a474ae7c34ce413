"""What stage graphs are put together from, whatever they compute: streams, adapters, products, caches, copies."""
