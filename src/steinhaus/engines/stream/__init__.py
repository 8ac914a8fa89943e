"""Points on disk. A pass reads them once, block by block, and the dense engine labels each block."""
