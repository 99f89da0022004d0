"""The model, how specs are lowered to it, and what it means in finite structures."""
