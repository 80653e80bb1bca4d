"""Parts of `orders`: a shop in a home of its own, and the people who buy there."""
