# A whole instance under load: short in make check, at full size with make check-calls.
check_PROGRAMS += %D%/calls-load
TESTS += %D%/calls-load %D%/real-spawner.sh
dist_check_SCRIPTS += %D%/real-spawner.sh
%C%_calls_load_SOURCES = %D%/calls.c %D%/crowd.c %D%/idle.c %D%/kills.c %D%/left.c \
	%D%/load.h %D%/main.c %D%/many.c %D%/races.c %D%/slow.c %D%/soak.c %D%/spawner.c %D%/words.c %D%/world.c
%C%_calls_load_LDADD = libqrexec/libwire.la libqrexec/libbase.la

check-calls: all %D%/calls-load$(EXEEXT)
	builddir='$(abs_top_builddir)' %D%/calls-load$(EXEEXT) --full
	builddir='$(abs_top_builddir)' LOAD_IDLE=120 $(srcdir)/%D%/real-spawner.sh
# nice: it lasts, and others use the machine
SOAK_SECONDS = 1800
soak: all %D%/calls-load$(EXEEXT)
	builddir='$(abs_top_builddir)' nice -n 10 %D%/calls-load$(EXEEXT) --soak=$(SOAK_SECONDS)
.PHONY: check-calls soak
