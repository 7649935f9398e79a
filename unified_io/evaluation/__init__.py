"""Numbers about what a model wrote, how sure they are, and the report that shows them."""
