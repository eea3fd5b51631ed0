"""git as the store of changes: one fenced way to call it, and what the engine asks of it.

Everything happens in the object database and in private index files; no working tree, index, branch or setting of the
user's is touched here. The one exception, moving a checked-out branch, is `patches.promotion`'s, by git itself.
"""
