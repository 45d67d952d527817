"""The index on disk, and the ways to search it under any relevance function."""
