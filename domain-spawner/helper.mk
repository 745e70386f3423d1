# The helper: the process with the rights, and what a domain of the local backend runs first.
EXTRA_DIST += %D%/helper-protocol.h %D%/backend.h
