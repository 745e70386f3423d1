# What tests of several rooms stand on.
STAGE_FOLDER = %D%/folder.c %D%/folder.h
STAGE_QUIET = %D%/quiet.c
STAGE_LOOP = %D%/loop.c %D%/loop.h
STAGE_VCHAN = %D%/vchan.c %D%/vchan.h
STAGE_SPAWN = %D%/spawn.c %D%/spawn.h
STAGE = $(STAGE_FOLDER) $(STAGE_LOOP) $(STAGE_QUIET) $(STAGE_SPAWN) $(STAGE_VCHAN)

# preloaded into every program; -rpath: shared, though it is not installed
check_LTLIBRARIES += %D%/no-words.la
%C%_no_words_la_SOURCES = %D%/no-words.c
%C%_no_words_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
dist_check_SCRIPTS += tests/integration/no-words.sh
TESTS += tests/integration/no-words.sh
