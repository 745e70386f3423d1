# The engine against a second evaluator. "make check" takes a slice, "make check-random" all of it.
RANDOM_CASE = %D%/case.c %D%/case.h %D%/case-files.c %D%/generate.c %D%/generate.h %D%/oracle.c %D%/oracle.h \
	%D%/shrink.c
RANDOM_LDADD = policy-engine/lib/libpolicy.la libqrexec/libbase.la

check_PROGRAMS += %D%/random-test
TESTS += %D%/random-test
%C%_random_test_SOURCES = %D%/random-test.c policy-engine/domains-file.c policy-engine/domains-file.h $(RANDOM_CASE)
%C%_random_test_LDADD = $(RANDOM_LDADD)
