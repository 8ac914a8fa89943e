"""Points that stay on disk: read block by block, once a pass, each block by the dense engine."""
