# What tests of several rooms stand on.
STAGE_FOLDER = %D%/folder.c %D%/folder.h
STAGE_QUIET = %D%/quiet.c
STAGE_LOOP = %D%/loop.c %D%/loop.h
STAGE_VCHAN = %D%/vchan.c %D%/vchan.h
STAGE_SPAWN = %D%/spawn.c %D%/spawn.h
STAGE = $(STAGE_FOLDER) $(STAGE_LOOP) $(STAGE_QUIET) $(STAGE_SPAWN) $(STAGE_VCHAN)
